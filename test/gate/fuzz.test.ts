import test from 'ava'
import { fuzz } from './fuzz.ts'

test('three hundred odd exchanges take nothing from the other service behind the gate', (t) => fuzz(t, 1, 300))
