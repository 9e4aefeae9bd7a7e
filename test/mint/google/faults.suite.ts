import { ALL, showFaults } from './fault-matrix.ts'

showFaults(ALL)
