import test from 'ava'
import { fuzz } from './fuzz.ts'

for (let seed = 2; seed < 12; seed += 1) {
  test.serial(`a thousand odd exchanges with clients and with Google, of the seed ${seed}`, (t) => fuzz(t, seed, 1_000))
}
