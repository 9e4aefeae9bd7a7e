import { showFaults } from './fault-matrix.ts'
import { CHAINS } from './rows.ts'

showFaults(CHAINS)
