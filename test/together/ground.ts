import { runTogether } from '../together.ts'

runTogether('ground')
