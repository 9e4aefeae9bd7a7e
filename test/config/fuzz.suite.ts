import test from 'ava'
import { fuzzFiles } from './fuzz.ts'
import { fuzzSchema } from './fuzz-schema.ts'

for (let seed = 2; seed < 12; seed += 1) {
  test(`a thousand odd settings files and credential files of the seed ${seed}`, (t) => fuzzFiles(t, seed, 1_000))
  test(`of two thousand settings files of the seed ${seed} the JSON Schema and the reader accept the same ones`, (t) =>
    fuzzSchema(t, seed, 2_000))
}
