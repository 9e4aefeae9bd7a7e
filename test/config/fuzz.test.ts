import test from 'ava'
import { fuzzFiles } from './fuzz.ts'
import { fuzzSchema } from './fuzz-schema.ts'

test('fifty odd settings files and credential files are read or refused', (t) => fuzzFiles(t, 1, 50))

test('of a hundred settings files the JSON Schema and the reader accept the same ones', (t) => fuzzSchema(t, 1, 100))
