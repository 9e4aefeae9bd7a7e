import test from 'ava'
import { fuzz } from './fuzz.ts'
import { fuzzPolicies } from './fuzz-policies.ts'

for (let seed = 2; seed < 12; seed += 1) {
  test.serial(`a thousand odd exchanges of the seed ${seed}`, (t) => fuzz(t, seed, 1_000))
  test.serial(`of two thousand IAM policies of the seed ${seed} each admits exactly whom it names`, (t) =>
    fuzzPolicies(t, seed, 2_000),
  )
}
