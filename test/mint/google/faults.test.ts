import { EACH_ONCE, showFaults } from './fault-matrix.ts'

// Google's clock is read where all its answers are, and that of a machine elsewhere.
showFaults(EACH_ONCE, ['key', 'real metadata server'])
