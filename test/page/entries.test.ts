import test from 'ava'
import type { Asked, GateState } from '../../src/inspector/rows.ts'
import { createNames } from '../../src/page/entries.ts'
import type { State } from '../../src/page/store.ts'

const LEDGER = 'https://ledger-abc123-uc.a.run.app'

test('a gate stands where a token is for as the gate itself compares: a run.app URL by its origin, others to the letter', (t) => {
  const gates = [{ host: 'ledger', upstream: 'http://ledger', audiences: [LEDGER, 'http://ledger:8080'] }]
  const { hasGate } = createNames({ source: null, gates: gates as unknown as GateState[] } as unknown as State)
  const isFor = (audience: string) => hasGate({ audience } as Asked)
  for (const audience of [LEDGER, `${LEDGER}/entries`, 'http://ledger:8080']) t.true(isFor(audience), audience)
  for (const audience of ['http://ledger:8080/entries', 'https://other-abc123-uc.a.run.app']) t.false(isFor(audience))
})
