import test from 'ava'
import { decide, type Rules } from '../../src/gate/decision.ts'
import { createInvokers } from '../../src/gate/members.ts'
import { accountId } from '../../src/issuer/account-id.ts'
import { BILLING, RUN } from './stack.ts'

const STRANGER = '113774264463038321964'

/** What is decided about a token without an email that this entry of `trust` has verified. */
async function refusalOf(sub: string, trusted: string, claims: Record<string, unknown> = {}) {
  const rules: Rules = {
    audiences: [RUN],
    gcloudAudiences: true,
    emailOf: (subject, issuer) => (subject === STRANGER && issuer === 'google' ? BILLING : undefined),
    subjectsOf: 'google',
    lineOf: () => 'on the command line',
    spell: (name) => `--${name}`,
    grant: (member) => ({ here: `--invoker=${member}`, production: `gcloud … ${member}` }),
    nameSubject: (subject) => `--subject=${subject}=EMAIL`,
  }
  const said = { claims: { iss: trusted, sub, aud: RUN, ...claims }, trusted, fp: '' }
  const verifier = { known: () => undefined, verify: async () => said }
  const invokers = createInvokers([`serviceAccount:${BILLING}`])
  const { refusal } = await decide(['Authorization', 'Bearer a.b.c'], rules, invokers, verifier)
  return refusal
}

const codeFor = async (sub: string, trusted: string) => (await refusalOf(sub, trusted))?.code ?? 'admitted'

const LOCAL = 'http://metadata.google.internal'

test('a subject counts for the issuer that gives it', async (t) => {
  t.is(await codeFor(STRANGER, 'google'), 'admitted')
  t.is(await codeFor(STRANGER, LOCAL), 'NOT_AN_INVOKER')
  t.is(await codeFor(accountId(BILLING), LOCAL), 'admitted')
  t.is(await codeFor(accountId(BILLING), 'google'), 'NOT_AN_INVOKER')
})

test('a setting is advised only where it can help', async (t) => {
  const google = await refusalOf('113', 'google')
  t.is(google?.fix, 'say whose it is: write `--subject=113=EMAIL` on the command line')
  const local = await refusalOf(STRANGER, LOCAL)
  t.notRegex(local?.fix ?? '', /subject/, 'it counts for the first issuer alone')
  t.regex(
    local?.fix ?? '',
    /`--invoker=serviceAccount:EMAIL` on the command line; in production `gcloud … serviceAccount:EMAIL`/,
  )
  const known = await refusalOf('113', 'google', { email: 'ann@acme.com', email_verified: true })
  t.regex(
    known?.fix ?? '',
    /`--invoker=user:ann@acme\.com` on the command line; in production `gcloud … user:ann@acme\.com`/,
  )
  const unverified = await refusalOf('113', 'google', { email: 'ann@acme.com', email_verified: false })
  t.is(unverified?.fix, 'ask for a token with an email that its issuer has verified (email_verified: true)')
})
