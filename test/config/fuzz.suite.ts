import test from 'ava'
import { fuzzFiles } from './fuzz.ts'

for (let seed = 2; seed < 12; seed += 1) {
  test(`a thousand odd settings files and credential files of the seed ${seed}`, (t) => fuzzFiles(t, seed, 1_000))
}
