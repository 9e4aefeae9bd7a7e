import test from 'ava'
import { runTogether } from '../together.ts'

runTogether(test, 'google')
