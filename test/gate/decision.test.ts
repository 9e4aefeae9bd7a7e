import test from 'ava'
import { decide } from '../../src/gate/decision.ts'
import { createInvokers } from '../../src/gate/members.ts'
import { accountId } from '../../src/issuer/account-id.ts'
import { BILLING, RUN } from './stack.ts'

const STRANGER = '113774264463038321964'

/** What is decided about a token without an email that this entry of `trust` has verified. */
async function codeFor(sub: string, trusted: string): Promise<string> {
  const rules = {
    audiences: [RUN],
    gcloudAudiences: true,
    subjects: { [STRANGER]: BILLING },
    subjectsOf: 'google',
    spell: (name: string) => `--${name}`,
  }
  const verifier = { verify: async () => ({ claims: { iss: trusted, sub, aud: RUN }, trusted, fp: '' }) }
  const invokers = createInvokers([`serviceAccount:${BILLING}`])
  const { refusal } = await decide(['Authorization', 'Bearer a.b.c'], rules, invokers, verifier)
  return refusal?.code ?? 'admitted'
}

test('a subject counts for the issuer that gives it', async (t) => {
  t.is(await codeFor(STRANGER, 'google'), 'admitted')
  t.is(await codeFor(STRANGER, 'http://metadata.google.internal'), 'NOT_AN_INVOKER')
  t.is(await codeFor(accountId(BILLING), 'http://metadata.google.internal'), 'admitted')
  t.is(await codeFor(accountId(BILLING), 'google'), 'NOT_AN_INVOKER')
})
