import { runTogether } from '../together.ts'

runTogether('top')
