import { runTogether } from '../together.ts'

runTogether('middle')
