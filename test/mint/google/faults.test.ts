import { EACH_ONCE, showFaults } from './fault-matrix.ts'

showFaults(EACH_ONCE)
