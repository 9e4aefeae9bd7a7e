import { runTogether } from '../together.ts'

runTogether('gate')
