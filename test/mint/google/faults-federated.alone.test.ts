import { showFaults } from './fault-matrix.ts'
import { FEDERATED } from './rows.ts'

showFaults(FEDERATED)
