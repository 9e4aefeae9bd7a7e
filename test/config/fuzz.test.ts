import test from 'ava'
import { fuzzFiles } from './fuzz.ts'

test('three hundred odd settings files and credential files are read or refused', (t) => fuzzFiles(t, 1, 300))
