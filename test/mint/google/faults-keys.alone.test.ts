import { showFaults } from './fault-matrix.ts'
import { KEYS } from './rows.ts'

showFaults(KEYS)
