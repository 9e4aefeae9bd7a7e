import test from 'ava'
import { fuzz } from './fuzz.ts'
import { fuzzPolicies } from './fuzz-policies.ts'

test('fifty odd exchanges take nothing from the other service behind the gate', (t) => fuzz(t, 1, 50))

test('of forty IAM policies in JSON and YAML each admits exactly whom it names', (t) => fuzzPolicies(t, 1, 40))
