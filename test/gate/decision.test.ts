import test from 'ava'
import { failure } from '../../src/core/errors.ts'
import { decide, type Rules } from '../../src/gate/decision.ts'
import { createInvokers } from '../../src/gate/members.ts'
import { accountId } from '../../src/issuer/account-id.ts'
import { BILLING, RUN } from './stack.ts'

const STRANGER = '113774264463038321964'

const RULES: Rules = {
  audiences: [RUN, 'http://ledger:8080'],
  gcloudAudiences: true,
  emailOf: (subject, issuer) => (subject === STRANGER && issuer === 'google' ? BILLING : undefined),
  subjectsOf: 'google',
  lineOf: () => 'on the command line',
  spell: (name) => `--${name}`,
  grant: (member) => ({ here: `--invoker=${member}`, production: `gcloud … ${member}` }),
  nameSubject: (subject) => `--subject=${subject}=EMAIL`,
}

/** What is decided about a token without an email that this entry of `trust` has verified. */
async function decisionOf(
  sub: string,
  trusted: string,
  claims: Record<string, unknown> = {},
  invokers = createInvokers([`serviceAccount:${BILLING}`]),
) {
  const said = { claims: { iss: trusted, sub, aud: RUN, ...claims }, trusted, fp: '' }
  return decide(['Authorization', 'Bearer a.b.c'], RULES, invokers, { verify: async () => said })
}

const refusalOf = async (...args: Parameters<typeof decisionOf>) => (await decisionOf(...args)).refusal

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

const ANN = { email: 'ann@acme.com', email_verified: true }

test('a token for another audience is told for what it is meant and what the service takes', async (t) => {
  const takes = `ask for a token with an audience of this service: ${RUN}, http://ledger:8080`
  const orTake = new RegExp(`^${takes}; or let the gate take that one: --audience$`)
  const rows: [aud: unknown, said: string, fix?: RegExp][] = [
    ['api', 'api', orTake],
    ['http://ledger:9999', 'http://ledger:9999, which is http://ledger:8080 with another port (9999)', orTake],
    ['', 'an empty audience'],
    [undefined, 'no audience'],
    [[RUN], 'a list of audiences'],
    [{ a: RUN }, 'an audience that is not a text'],
    ['http://ann:canary@api', 'http://***@api', orTake],
    ['http://ledger:8080/', 'http://ledger:8080/, which is http://ledger:8080 with a slash at its end'],
    ['undefined', 'undefined, which holds undefined: the variable that it is made of has no text'],
    ['http://a.internal/tasks/1', 'http://a.internal/tasks/1', /: set `oidcToken\.audience` there$/],
  ]
  for (const [aud, said, fix] of rows) {
    const decision = await decisionOf('113', 'google', { ...ANN, aud })
    t.is(decision.refusal?.message, `the token is meant for ${said}`)
    t.is(decision.refusal?.code, 'AUDIENCE_WRONG')
    if (fix === undefined) t.is(decision.refusal?.fix, takes)
    else t.regex(decision.refusal?.fix ?? '', fix)
    t.is(decision.audience, said.replace(/, which .*/, ''))
    t.is(decision.principal, 'ann@acme.com')
    t.is(decision.lines, undefined)
  }
})

test('whose token it is counts for the log also where it may not invoke, with the lines that would let it in', async (t) => {
  const ann = await decisionOf('113', 'google', ANN)
  t.like(ann, { principal: 'ann@acme.com', audience: RUN, isPublic: false, said: { fp: '', claims: { sub: '113' } } })
  t.deepEqual(ann.lines, { here: '--invoker=user:ann@acme.com', production: 'gcloud … user:ann@acme.com' })
  const nameless = await decisionOf('113', 'google')
  t.like(nameless, { principal: '113', lines: { here: '--subject=113=EMAIL' } })
  t.is((await decisionOf('113', 'google', { ...ANN, email_verified: false })).lines, undefined)
  t.is((await decisionOf('113', 'google', { ...ANN, email: 'ann' })).lines, undefined)
})

test('a public service admits a request without looking at its token', async (t) => {
  const decision = await decisionOf('113', 'google', {}, createInvokers(['allUsers']))
  t.deepEqual(decision, { isPublic: true, audience: '', principal: '' })
})

test('a Workspace domain admits by its claim, whatever its case', async (t) => {
  const invokers = createInvokers(['domain:acme.com'])
  const code = async (claims: object) => (await refusalOf('113', 'google', { ...claims }, invokers))?.code ?? 'admitted'
  t.is(await code({ email: 'Ann@Gmail.com', email_verified: true, hd: 'ACME.com' }), 'admitted')
  t.is(await code({ email: 'ANN@ACME.COM', email_verified: true, hd: 5 }), 'admitted')
  t.is(await code({ email: 'ann@acme.com', email_verified: true, hd: 'other.com' }), 'NOT_AN_INVOKER')
  t.is(await code({ hd: 'acme.com' }), 'NOT_AN_INVOKER')
})

test('a refusal says whom it refuses, and why its email does not count', async (t) => {
  const long = `${'a'.repeat(320)}@acme.com`
  const rows: [claims: Record<string, unknown>, said: string][] = [
    [{}, 'the subject 113, whose token has no email (format=full asks for it),'],
    [ANN, 'ann@acme.com'],
    [{ ...ANN, email: '' }, '113, whose email is empty,'],
    [{ ...ANN, email: 5 }, '113, whose email is not a text,'],
    [{ ...ANN, email_verified: false }, '113, whose email ann@acme.com is not verified,'],
    [{ email: 'ann@acme.com' }, '113, whose email ann@acme.com is not verified (it has no email_verified),'],
    [
      { ...ANN, email_verified: 'true' },
      '113, whose email ann@acme.com is not verified (its email_verified is "true"),',
    ],
    [
      { email: long, email_verified: 'x'.repeat(300) },
      `113, whose email ${'a'.repeat(320)} is not verified (${`its email_verified is "${'x'.repeat(300)}`.slice(0, 200)}),`,
    ],
  ]
  for (const [claims, said] of rows) {
    t.is((await refusalOf('113', 'google', claims))?.message, `${said} may not invoke this service`)
  }
})

test('groups that nobody described are named in a refusal, three at most, with the line that describes one', async (t) => {
  const inGroups = (...names: string[]) => createInvokers(names.map((name) => `group:${name}@acme.com`))
  const one = await refusalOf('113', 'google', ANN, inGroups('a'))
  t.is(one?.message, 'ann@acme.com, which is not known to be in group:a@acme.com, may not invoke this service')
  t.regex(one?.fix ?? '', /; where it is in the group, write a@acme\.com=MEMBER in --group$/)
  const four = await refusalOf('113', 'google', ANN, inGroups('a', 'b', 'c', 'd'))
  t.regex(four?.message ?? '', /in group:a@acme\.com or group:b@acme\.com or group:c@acme\.com, may not invoke/)
})

test('a token without an email is told each way to name its account that can help it', async (t) => {
  const rules: Rules = {
    audiences: ['a'],
    gcloudAudiences: true,
    emailOf: () => undefined,
    subjectsOf: LOCAL,
    lineOf: (name) => `at ${name}`,
    spell: (name) => `--${name}`,
    grant: (member) => ({ here: `--invoker=${member}`, production: 'gcloud …' }),
    nameSubject: (subject) => `--subject=${subject}=EMAIL`,
  }
  const fixFor = async (trusted: string) => {
    const claims = { iss: trusted, sub: '113', aud: 'a' }
    const verifier = { verify: async () => ({ claims, trusted, fp: '' }) }
    return (await decide(['Authorization', 'Bearer a.b.c'], rules, createInvokers([]), verifier)).refusal?.fix
  }
  const invoker = 'where it may call, write `--invoker=serviceAccount:EMAIL` at invoker; in production `gcloud …`'
  t.is(await fixFor(LOCAL), `${invoker}; if no sidemint signed it, write \`--subject=113=EMAIL\` at subject`)
  t.is(await fixFor('google'), invoker, 'subjects are those of another issuer')
})

test('a token that is known is decided about at once, by the audience, the invokers and the time of now', (t) => {
  const decided = (claims: Record<string, unknown>, invoker = `serviceAccount:${BILLING}`) => {
    const said = { claims: { iss: LOCAL, sub: '113', aud: RUN, ...claims }, trusted: LOCAL, fp: 'ab' }
    return decide(['Authorization', 'Bearer a.b.c'], RULES, createInvokers([invoker]), { verify: () => said })
  }
  const good = { email: BILLING, email_verified: true }
  const admitted = { isPublic: false, audience: RUN, principal: BILLING, refusal: undefined, said: { fp: 'ab' } }
  t.like(decided(good), { ...admitted, credential: { token: 'a.b.c' } })
  t.like(decided(good, 'user:ann@acme.com'), { principal: BILLING, refusal: { code: 'NOT_AN_INVOKER', status: 403 } })
  t.like(decided({ ...good, aud: 'b' }), { audience: 'b', refusal: { code: 'AUDIENCE_WRONG', status: 401 } })
  const verify = () => {
    throw failure('TOKEN_EXPIRED', { reason: 'it expired 61 s ago' })
  }
  const expired = decide(['Authorization', 'Bearer a.b.c'], RULES, createInvokers([]), { verify })
  t.like(expired, { audience: '', principal: '', said: undefined, refusal: { code: 'TOKEN_EXPIRED', status: 401 } })
})
