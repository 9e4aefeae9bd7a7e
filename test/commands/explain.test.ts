import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Explanation } from '../../src/inspector/explain.ts'
import { freePort } from '../free-port.ts'
import { type Issuer, newKey, startIssuer } from '../gate/issuer.ts'
import { compare } from '../inspector/document.ts'
import { pipeWith } from './pipe.ts'
import { run, scratch, serve } from './run.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const LEDGER = 'https://ledger-abc123-uc.a.run.app'
const BILLING = 'http://billing:8080'
const HOUR = 3600

let issuer: Issuer
let config = ''
test.before(async () => {
  issuer = await startIssuer()
  const gates = [
    { host: 'ledger', audience: [LEDGER], invoker: [`serviceAccount:${ORDERS}`] },
    { host: 'billing', audience: [BILLING], invoker: [`serviceAccount:${ORDERS}`, 'group:team@acme.com'] },
    { host: 'shop', audience: [], invoker: ['allUsers'] },
  ].map((gate) => ({ ...gate, upstream: 'http://127.0.0.1:1', trust: [issuer.url] }))
  config = join(scratch, 'explain.yaml')
  writeFileSync(config, JSON.stringify({ project: 'acme-dev', region: 'europe-west1', gates }))
})
test.after.always(() => issuer.close())

const nowSeconds = () => Math.floor(Date.now() / 1000)
const good = (claims: Record<string, unknown> = {}) =>
  issuer.sign({ aud: BILLING, email: ORDERS, email_verified: true, ...claims })
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const cut = (token: string) => token.slice(0, token.lastIndexOf('.'))

/** What is on stdin, and how the first line names what is wrong with it. */
const FAULTS: [fault: string, stdin: () => string | Promise<string>, firstLine: RegExp, argv?: string[]][] = [
  ['no token', () => '\n', /refused by ledger TOKEN_MISSING \(403\): the request carries no ID token/],
  ['an access token', () => 'ya29.a0AfB_x', /TOKEN_INVALID \(401\): .*it is an access token/],
  [
    "a user's token of another audience",
    () => good({ email: 'ann@acme.com', aud: 'https://api.acme.com' }),
    /AUDIENCE_WRONG \(401\): the token is meant for https:\/\/api\.acme\.com$/,
  ],
  [
    'a slash',
    () => good({ aud: `${BILLING}/` }),
    /by billing AUDIENCE_WRONG \(401\): .*is http:\/\/billing:8080 with a slash at its end/,
  ],
  ['a path', () => good({ aud: `${BILLING}/entries` }), /by billing AUDIENCE_WRONG .*with another path \(\/entries\)/],
  ['another port', () => good({ aud: 'http://billing' }), /by billing AUDIENCE_WRONG .*with another port \(none\)/],
  [
    'http in place of https',
    () => good({ aud: LEDGER.replace('https', 'http') }),
    /by ledger AUDIENCE_WRONG .*with http in place of https/,
  ],
  [
    "another project's URL",
    () => good({ aud: 'https://ledger-zzz999-uc.a.run.app' }),
    /by ledger AUDIENCE_WRONG .*in another project or region/,
  ],
  [
    'the other form of the URL',
    () => good({ aud: 'https://ledger-123456789012.europe-west1.run.app' }),
    /by ledger AUDIENCE_WRONG .*-uc\.a\.run\.app by its other URL, or in another project or region$/,
  ],
  [
    'no audience but azp',
    () => good({ aud: undefined, azp: BILLING }),
    /AUDIENCE_WRONG \(401\): the token is meant for no audience$/,
  ],
  [
    'a list of audiences',
    () => good({ aud: [BILLING] }),
    /AUDIENCE_WRONG \(401\): the token is meant for a list of audiences$/,
  ],
  [
    'not yet valid',
    () => good({ nbf: nowSeconds() + 600 }),
    /TOKEN_EXPIRED \(401\): .*it becomes valid in (600|59\d) s/,
  ],
  [
    'encrypted',
    () => [encoded({ alg: 'RSA-OAEP', enc: 'A256GCM' }), 'a'.repeat(40), 'b'.repeat(16), 'c'.repeat(80), 'd'].join('.'),
    /TOKEN_INVALID \(401\): .*it is encrypted \(a JWE\), and an ID token is only signed/,
  ],
  [
    'expired',
    () => good({ iat: nowSeconds() - 2 * HOUR, exp: nowSeconds() - HOUR }),
    /TOKEN_EXPIRED \(401\): .*it expired 360\d s ago/,
  ],
  [
    'a clock that is ahead',
    () => good({ iat: nowSeconds() + HOUR, exp: nowSeconds() + 2 * HOUR }),
    /TOKEN_EXPIRED \(401\): .*it becomes valid in 3(600|59\d) s/,
  ],
  [
    'another issuer',
    () => good({ iss: 'http://elsewhere' }),
    /ISSUER_NOT_TRUSTED \(401\): the token comes from "http:\/\/elsewhere"/,
  ],
  [
    'a removed signature',
    () => `${cut(good())}.SIGNATURE_REMOVED_BY_GOOGLE`,
    /TOKEN_INVALID \(401\): .*its signature has been removed/,
  ],
  [
    'no email',
    () => good({ email: undefined, email_verified: undefined }),
    /NOT_AN_INVOKER \(403\): the subject \d{21}, whose token has no email/,
  ],
  [
    'an email that is not verified',
    () => good({ email_verified: false }),
    /NOT_AN_INVOKER \(403\): \d{21}, whose email orders@\S+ is not verified,/,
  ],
  [
    'not an invoker',
    () => good({ aud: LEDGER, email: 'web@acme-dev.iam.gserviceaccount.com' }),
    /by ledger NOT_AN_INVOKER \(403\): web@\S+ may not invoke this service/,
  ],
  [
    'in a group whose members are not known',
    () => good({ email: 'ann@acme.com' }),
    /by billing NOT_AN_INVOKER \(403\): ann@acme\.com, which is not known to be in group:team@acme\.com,/,
  ],
  ['a public service', () => '', /^admitted by shop PUBLIC: the service is public \(allUsers\)/, ['--audience=shop']],
  [
    'a key that its issuer does not have',
    async () => issuer.sign({ aud: BILLING, email: ORDERS }, { key: await newKey() }),
    /KEY_UNKNOWN \(401\): /,
  ],
  [
    'signed by another key under the same id',
    async () => issuer.sign({ aud: BILLING }, { key: { ...(await newKey()), kid: issuer.keys[0]?.kid ?? '' } }),
    /TOKEN_INVALID \(401\): .*its signature is not by the key that \S+ publishes/,
  ],
  [
    'HS256',
    () => {
      const head = `${encoded({ alg: 'HS256', kid: issuer.keys[0]?.kid })}.${good().split('.')[1]}`
      return `${head}.${createHmac('sha256', 'secret').update(head).digest('base64url')}`
    },
    /TOKEN_INVALID \(401\): .*its algorithm is "HS256", not RS256/,
  ],
  [
    'alg none',
    () => `${encoded({ alg: 'none', kid: issuer.keys[0]?.kid })}.${good().split('.')[1]}.`,
    /TOKEN_INVALID \(401\): .*its algorithm is "none", not RS256/,
  ],
  ['Bearer undefined', () => 'Bearer undefined', /TOKEN_INVALID \(401\): .*it is the word "undefined"/],
  ['garbage', () => '\u202e<script>é\u0000', /TOKEN_INVALID \(401\)/],
  ['two tokens', () => `${good()}\n${good()}`, /TOKENS_SEVERAL \(401\): the request carries several tokens/],
  ['two headers', () => `Authorization: Bearer ${good()}\nAuthorization: Bearer ${good()}`, /TOKENS_SEVERAL/],
  ['a token without its signature', () => cut(good()), /TOKEN_INVALID .*it has 2 parts, where a JWT has 3$/],
  ['a token that was cut', () => good().slice(0, -20), /TOKEN_INVALID .*its signature is cut off$/],
  ['a JWT that has more parts', () => `${good()}.x`, /TOKEN_INVALID .*it has 4 parts, where a JWT has 3$/],
  [
    'base64 in place of base64url',
    () => `${good()}==`,
    /TOKEN_INVALID .*it is written in base64, where a JWT has base64url/,
  ],
  [
    'what Python makes of bytes',
    () => `Bearer b'${good()}'`,
    /TOKEN_INVALID .*it is a JWT with other characters around it$/,
  ],
  [
    'a payload that is not JSON',
    () => good().replace(/\.[^.]+\./, '.bm9wZQ.'),
    /TOKEN_INVALID .*it is not a JWT: .* not JSON$/,
  ],
  [
    'no algorithm',
    () => `${encoded({ kid: 'a' })}.${good().split('.')[1]}.a`,
    /TOKEN_INVALID .*its header names no algorithm/,
  ],
  ['a refresh token', () => '1//0gAbCdEf', /TOKEN_INVALID .*it is a refresh token$/],
  ['an API key', () => 'AIzaSyA123', /TOKEN_INVALID .*it is an API key$/],
  ['Bearer twice', () => `Bearer Bearer ${good()}`, /TOKEN_INVALID .*Bearer stands before it twice$/],
  [
    'an object in place of a text',
    () => 'Bearer [object Promise]',
    /TOKEN_INVALID .*it is the word "\[object Promise\]"/,
  ],
  [
    'no Bearer',
    () => `Authorization: ${good()}`,
    /TOKEN_MISSING .*authorization holds a token without Bearer before it\)$/,
  ],
  ['another scheme', () => `Token ${good()}`, /TOKEN_MISSING .*\(authorization holds no Bearer token\)$/],
  [
    'a request with its token in another header',
    () => `GET / HTTP/1.1\nX-Goog-IAP-JWT-Assertion: ${good()}\nProxy-Authorization: Bearer ${good()}`,
    /TOKEN_MISSING .*\(no Authorization header\)$/,
  ],
  [
    'times in milliseconds',
    () => good({ iat: Date.now() }),
    /TOKEN_INVALID .*its iat is in milliseconds, not in seconds$/,
  ],
  [
    'an end in milliseconds',
    () => good({ exp: Date.now() }),
    /TOKEN_INVALID .*its exp is in milliseconds, not in seconds$/,
  ],
  [
    'an end that is a text',
    () => good({ exp: '1795682440' }),
    /TOKEN_INVALID .*its exp is "1795682440", not a number$/,
  ],
  ['no end', () => good({ exp: undefined }), /TOKEN_INVALID .*it has no exp$/],
  [
    'an audience that is a number',
    () => good({ aud: 5 }),
    /AUDIENCE_WRONG .*is meant for an audience that is not a text$/,
  ],
  ['an empty audience', () => good({ aud: '' }), /AUDIENCE_WRONG .*is meant for an empty audience$/],
  [
    'a variable that was empty',
    () => good({ aud: 'undefined' }),
    /AUDIENCE_WRONG .*meant for undefined, which holds undefined:/,
  ],
  [
    'a variable that nobody filled in',
    () => good({ aud: '$BILLING_URL' }),
    /AUDIENCE_WRONG .*which holds a variable that nobody/,
  ],
  [
    'quotes around the audience',
    () => good({ aud: `"${BILLING}"` }),
    /AUDIENCE_WRONG .*is http:\/\/billing:8080 with quotes around/,
  ],
  [
    'a query',
    () => good({ aud: `${BILLING}?a=1` }),
    /AUDIENCE_WRONG .*is http:\/\/billing:8080 with a query after it$/,
  ],
  [
    'a fragment',
    () => good({ aud: `${BILLING}#a` }),
    /AUDIENCE_WRONG .*is http:\/\/billing:8080 with a fragment after it$/,
  ],
  [
    'a user',
    () => good({ aud: 'http://a:b@billing:8080' }),
    /AUDIENCE_WRONG .*is http:\/\/billing:8080 with a user before its host$/,
  ],
  [
    'a dot after the host',
    () => good({ aud: `${LEDGER}.` }),
    /by ledger AUDIENCE_WRONG .*run\.app with a dot after its host$/,
  ],
  [
    'the host alone',
    () => good({ aud: 'billing' }),
    /by billing AUDIENCE_WRONG .*is http:\/\/billing:8080 by its host alone$/,
  ],
  [
    'percent signs',
    () => good({ aud: encodeURIComponent(BILLING) }),
    /AUDIENCE_WRONG .*is http:\/\/billing:8080 percent-encoded$/,
  ],
  [
    'a slash after the issuer',
    () => good({ iss: `${issuer.url}/` }),
    /ISSUER_NOT_TRUSTED .*: it is http:\S+ with a slash at its end$/,
  ],
  [
    'email_verified as a text',
    () => good({ email_verified: 'true' }),
    /NOT_AN_INVOKER .*whose email orders@\S+ is not verified \(its email_verified is "true"\), may not/,
  ],
  [
    'email_verified left out',
    () => good({ email_verified: undefined }),
    /is not verified \(it has no email_verified\), may not/,
  ],
  [
    'an email that is a list',
    () => good({ email: [ORDERS] }),
    /NOT_AN_INVOKER .*: \d{21}, whose email is not a text, may not/,
  ],
  ['an empty email', () => good({ email: '' }), /NOT_AN_INVOKER .*: \d{21}, whose email is empty, may not/],
]

const OTHERS: [what: string, stdin: () => string, said: RegExp][] = [
  [
    'an error answer',
    () => '{"error":"invalid_request","error_description":"Service account not enabled on this instance"}',
    /JSON without a token, such as an error/,
  ],
  ['an answer with the token in a field', () => `{"id_token":"${good()}"}`, /take the token out of its field id_token/],
  [
    'a token in any other field',
    () => `{"data":[{"jwt":"${good()}"}]}`,
    /take the token out of its field data\.0\.jwt/,
  ],
  ['a key file', () => '{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY"}', /holds a credential file/],
  ['an HTML page', () => '<html><title>404 Not Found</title>\n<p>no such path', /other text, such as an error/],
  ['an error of ours', () => 'sidemint: NO_SERVER: no metadata server answers at http://a:1', /other text, such as an/],
  ['a curl line', () => 'curl: (7) Failed to connect to 127.0.0.1 port 16925', /other text, such as an error/],
]
for (const [what, stdin, said] of OTHERS) {
  test(`${what} in the place of a token is named so, and not quoted`, async (t) => {
    const { code, out, err } = await run(['explain', '--config', config], {}, stdin())
    t.deepEqual([code, out], [2, ''])
    t.regex(err, said)
    for (const word of stdin().split(/\W+/)) if (word.length > 20) t.false(err.includes(word), word)
  })
}

async function explained(
  t: ExecutionContext,
  argv: readonly string[],
  stdin: string,
  env: Record<string, string> = {},
) {
  const { code, out, err } = await run(['explain', ...argv], env, stdin)
  const [first = ''] = out.split('\n')
  const [by = ''] = /^sidemint: asked .*\n/m.exec(err) ?? []
  t.is(err.replace(/sidemint: nobody is in group.*\n/, ''), by)
  t.is(code, first.startsWith('admitted') ? 0 : 1)
  for (const part of stdin.split(/[\s.]+/)) if (part.length > 40) t.false(out.includes(part), 'a part of the token')
  return { code, first, out, by }
}

for (const [fault, stdin, firstLine, argv = []] of FAULTS) {
  test(`the first line names the fault: ${fault}`, async (t) => {
    const { first } = await explained(t, ['--config', config, ...argv], await stdin())
    t.regex(first, firstLine)
  })
}

/** Whatever a fault may put into a request: no header, two, odd bytes, another name or scheme; and what the server looks up. */
const ASKED = new Set([
  ...[
    'no token',
    'two tokens',
    'two headers',
    'garbage',
    'Bearer undefined',
    'Bearer twice',
    'another scheme',
    'no Bearer',
  ],
  ...['what Python makes of bytes', 'a request with its token in another header', 'a public service', 'a slash'],
  ...['a key that its issuer does not have', 'in a group whose members are not known', 'expired'],
])

test.serial('a server says the same of a fault, by its own gates and keys', async (t) => {
  const server = await serve(['--source=local', '--gate-port=0', '--config', config])
  t.teardown(() => server.stop())
  const asked = FAULTS.filter(([fault]) => ASKED.has(fault))
  t.is(asked.length, ASKED.size)
  for (const [fault, stdin, firstLine, argv = []] of asked) {
    const { first } = await explained(t, ['--server', server.url, ...argv], await stdin())
    t.regex(first, firstLine, fault)
  }
  const own = await run(['token', '--audience', BILLING, '--format=full', '--server', server.url])
  const { first } = await explained(t, ['--server', server.url], own.out)
  t.regex(first, /^refused by billing NOT_AN_INVOKER/, 'its own issuer is trusted there')
})

test('it says whose gates decided, and whether a server was asked', async (t) => {
  const here = await explained(t, ['--config', config], good())
  t.is(here.by, `sidemint: asked no server: the gates of ${config} decide; --server URL asks those of a running one\n`)
  const flags = await explained(t, ['--trust', issuer.url, '--audience', BILLING], good())
  t.is(
    flags.by,
    'sidemint: asked no server: --audience describes the service; --server URL asks the gates of a running one\n',
  )
  const nothing = await explained(t, ['--trust', issuer.url], good())
  t.is(
    nothing.by,
    'sidemint: asked no server: nothing describes the service, so every audience and account will do; --server URL asks the gates of a running one\n',
  )
  const policy = join(scratch, 'nobody.yaml')
  writeFileSync(policy, 'bindings: []\n')
  const file = join(scratch, 'with-policy.yaml')
  writeFileSync(file, JSON.stringify({ policy, trust: [issuer.url] }))
  const byVariable = await explained(t, ['--trust', issuer.url], good(), { SIDEMINT_POLICY: policy })
  for (const { first, by } of [byVariable, await explained(t, ['--config', file], good())]) {
    t.regex(first, /^refused NOT_AN_INVOKER/)
    t.regex(by, /^sidemint: asked no server: --policy describes the service; /)
  }
  const server = await serve(['--source=local', '--gate-port=0', '--config', config])
  t.teardown(() => server.stop())
  const there = await explained(t, ['--config', config], good(), { SIDEMINT_SERVER: server.url })
  t.is(there.by, `sidemint: asked the gates of the server at ${server.url}\n`)
})

/** Has the commands find this server at the default address, which other programs of this machine may have taken. */
function atDefaultAddress(t: ExecutionContext, url: string): void {
  const { fetch } = globalThis
  t.teardown(() => {
    globalThis.fetch = fetch
  })
  globalThis.fetch = (asked, init) => fetch(String(asked).replace('http://127.0.0.1:16925', url), init)
}

test.serial('where nothing describes the service, the gates of a server at the default address decide', async (t) => {
  const server = await serve(['--source=local', '--gate-port=0', '--config', config])
  t.teardown(() => server.stop())
  atDefaultAddress(t, server.url)
  const own = await run(['token', '--audience', BILLING, '--format=full', '--server', server.url])
  const there = await explained(t, [], own.out)
  t.regex(there.first, /^refused by billing NOT_AN_INVOKER/)
  t.is(there.by, 'sidemint: asked the gates of the server at http://127.0.0.1:16925\n')
  const described = await explained(t, ['--trust', issuer.url, '--audience', BILLING], good())
  t.regex(described.by, /asked no server: --audience describes the service/)
})

test.serial('a server at the default address that has no gates is not asked', async (t) => {
  const server = await serve(['--source=local'])
  t.teardown(() => server.stop())
  atDefaultAddress(t, server.url)
  const { first, by } = await explained(t, [], good({ iss: 'http://elsewhere' }))
  t.regex(first, /^refused ISSUER_NOT_TRUSTED/)
  t.regex(by, /asked no server: nothing describes the service/)
})

test.serial('of a silent server at the default address nobody knows whose gates it has', async (t) => {
  const { fetch } = globalThis
  t.teardown(() => {
    globalThis.fetch = fetch
  })
  globalThis.fetch = async () => {
    throw new DOMException('the time is over', 'TimeoutError')
  }
  for (const argv of [['explain'], ['token', '--audience=a']]) {
    const { code, out, err } = await run(argv, {}, good())
    t.deepEqual([code, out], [1, ''])
    t.regex(err, /^sidemint: NO_SERVER: .*:16925 \(nothing came within 3 s\)\. Fix: restart /)
  }
})

test('the gates of a file trust the server that the file starts', async (t) => {
  const file = join(scratch, 'with-port.yaml')
  const gate = {
    host: 'billing',
    upstream: 'http://127.0.0.1:1',
    audience: [BILLING],
    invoker: ['allAuthenticatedUsers'],
  }
  const port = await freePort()
  writeFileSync(file, JSON.stringify({ port, gates: [gate] }))
  const { out } = await explained(t, ['--config', file], good({ iss: `http://127.0.0.1:${port}` }))
  t.regex(out, new RegExp(`^refused by billing KEYS_UNAVAILABLE .*the keys of http://127\\.0\\.0\\.1:${port} `))
  t.regex(out, /Fix: ask the gates of a running server, which has its keys, with --server URL; or start that issuer/)
  t.regex(out, /^ {2}iss +not checked/m, 'the issuer is trusted, and only its keys are out of reach')
})

test('an admitted token: who it is for, its claims and its checks', async (t) => {
  const { first, out } = await explained(t, ['--config', config], good())
  t.is(first, `admitted by billing INVOKER: ${ORDERS} may invoke the service, and the token is for ${BILLING}`)
  t.regex(out, /^ {2}exp {3}good .*\d{4}-\d\d-\d\dT/m)
  t.regex(out, /"email": "orders@/)
})

test('a token whose subject is empty is not taken for a public service', async (t) => {
  const flags = ['--trust', issuer.url, '--audience', BILLING, '--invoker', 'allAuthenticatedUsers']
  const nobody = good({ sub: '', email: undefined, email_verified: undefined })
  const { first, out } = await explained(t, flags, nobody)
  t.is(first, `admitted INVOKER: the subject "" may invoke the service, and the token is for ${BILLING}`)
  t.regex(out, /^ {2}aud {3}good/m)
})

test('a token is read however it was copied', async (t) => {
  const token = good()
  const ways = [
    token,
    `  ${token}\r\n`,
    `bearer ${token}`,
    `"${token}"\n`,
    token.replace(/.{76}/g, '$&\n'),
    `Bearer ${token.replace(/.{64}/g, '$&\r\n  ')}`,
    `Bearer\n${token}`,
    `\ufeff${token}`,
    `Authorization: Bearer ${token}`,
    `GET / HTTP/1.1\r\nHost: billing:8080\r\nAuthorization: Bearer ${token}\r\nAccept: */*\r\n\r\n`,
    `> authorization: Bearer ${token}\n> x: y`,
    `-H 'Authorization: Bearer ${token}'`,
    `X-Serverless-Authorization: Bearer ${token}\nAuthorization: Bearer other`,
    `curl -H "Authorization: Bearer ${token}" http://billing:8080/a`,
    `curl -H 'Authorization: Bearer other' -H 'X-Serverless-Authorization: Bearer ${token}' http://billing:8080/a`,
    `  "headers": {\n    "authorization": "Bearer ${token}",\n  },`,
    `id_token: ${token}`,
    `export ID_TOKEN="${token}"`,
    `'${token}',`,
    `\`${token}\`;`,
    `b'${token}'`,
    `https://a.example/?id_token=${token}&x=1`,
    `\u001b[32m${token}\u001b[0m\n`,
    `${token}\u200b`,
    `WARNING: This command is using service account impersonation.\n${token}`,
    `$ sidemint token --audience x\n${token}\n$ `,
    token.replace(/\./g, '. '),
  ]
  for (const way of ways) t.regex((await explained(t, ['--config', config], way)).first, /^admitted by billing/, way)
})

test('both fixes are lines to copy, and what a token says cannot harm a shell', async (t) => {
  const stranger = await explained(t, ['--config', config], good({ aud: LEDGER, email: 'ann@acme.com' }))
  t.true(stranger.out.includes(`sidemint.yaml  invoker: [serviceAccount:${ORDERS}, user:ann@acme.com]\n`))
  t.true(
    stranger.out.includes(
      'gcloud run services add-iam-policy-binding ledger --member=user:ann@acme.com --role=roles/run.invoker --region=europe-west1 --project=acme-dev\n',
    ),
  )
  const hostile = `${BILLING}/'; rm -rf "$HOME"\u001b[2J\u202e`
  const { out } = await explained(t, ['--config', config], good({ aud: hostile }))
  t.true(out.includes(`--add-custom-audiences=${BILLING}/'\\''; rm -rf "$HOME"\\u001b[2J\\u202e'`), out)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  t.notRegex(out, /[\u001b\u202e]/)
})

test('a service that flags describe needs no file', async (t) => {
  const policy = join(scratch, 'policy.yaml')
  writeFileSync(policy, `bindings:\n- role: roles/run.invoker\n  members: [serviceAccount:${ORDERS}]\n`)
  const asked = (argv: string[], stdin = good()) => explained(t, ['--trust', issuer.url, ...argv], stdin)
  t.regex((await asked(['--audience', BILLING, '--policy', policy])).first, /^admitted INVOKER/)
  t.regex((await asked(['--audience', LEDGER, '--policy', policy])).first, /^refused AUDIENCE_WRONG/)
  t.regex((await asked(['--policy', policy, '--audience', BILLING], good({ email: 'a@b.c' }))).first, /NOT_AN_INVOKER/)
  t.regex((await asked([])).first, /^admitted INVOKER/)
  const piped = pipeWith(t, `{"bindings":[{"role":"roles/run.invoker","members":["serviceAccount:${ORDERS}"]}]}`)
  t.regex((await asked(['--audience', BILLING, '--policy', piped])).first, /^admitted INVOKER/, 'as of <(gcloud …)')
  const both = `Authorization: Bearer ${good({ aud: LEDGER })}\nX-Serverless-Authorization: Bearer ${good()}`
  t.regex((await asked([], both)).first, /^admitted INVOKER/, 'every audience will do, in the header that counts')
})

test('of an account that is no invoker the email is not called wrong, and of mode report not that it refused', async (t) => {
  const report = join(scratch, 'report.yaml')
  const gate = {
    host: 'ledger',
    upstream: 'http://127.0.0.1:1',
    audience: [LEDGER],
    trust: [issuer.url],
    mode: 'report',
  }
  writeFileSync(report, JSON.stringify({ gates: [{ ...gate, invoker: ['user:ann@acme.com'] }] }))
  const { code, out } = await explained(t, ['--config', report], good({ aud: LEDGER }))
  t.is(code, 1)
  t.regex(out, /^let through, but would be refused by ledger NOT_AN_INVOKER \(403\): orders@/)
  t.regex(out, /^ {2}email no invoker {3}orders@/m)
  t.notRegex(out, /wrong/)
})

test('--json prints the explanation as the API document describes it', async (t) => {
  const { code, out } = await run(['explain', '--config', config, '--json'], {}, good({ aud: `${BILLING}/` }))
  t.is(code, 1)
  const explanation = JSON.parse(out) as Explanation
  t.is(compare('Explanation', explanation), 'fits')
  t.like(explanation, { decision: 'refused', code: 'AUDIENCE_WRONG', status: 401, account: ORDERS })
  t.deepEqual(explanation.gate, { host: 'billing', mode: 'enforce', audiences: [BILLING], others: ['ledger', 'shop'] })
})

test('a gate is found by its host and port too', async (t) => {
  const { first } = await explained(t, ['--config', config, '--audience=billing:8080'], good())
  t.regex(first, /^admitted by billing/)
})

test("a token of gcloud's own audience is for every gate, so the first one decides", async (t) => {
  const person = good({ aud: '32555940559.apps.googleusercontent.com', email: 'ann@acme.com' })
  t.regex((await explained(t, ['--config', config], person)).first, /^refused by ledger NOT_AN_INVOKER/)
})

test('misuse is exit code 2', async (t) => {
  const wrong: [argv: string[], stdin: string, said: RegExp][] = [
    [
      ['--config', config, '--audience=https://nobody'],
      '',
      /--audience: no gate here is for https:\/\/nobody; the gates/,
    ],
    [['--policy=a', '--server=http://127.0.0.1:1'], '', /--policy: the server at --server has its own/],
    [['--policy', join(scratch, 'none.json')], '', /none\.json/],
    [[], randomUUID().repeat(1_000), /stdin: holds more than a header can/],
  ]
  for (const [argv, stdin, said] of wrong) {
    const { code, out, err } = await run(['explain', ...argv], {}, stdin)
    t.is(code, 2, err)
    t.is(out, '')
    t.regex(err, said)
  }
})

test('a program that is not sidemint is told from one', async (t) => {
  const answers: [status: number, headers: Record<string, string>, body: string][] = [
    [200, {}, '<html>'],
    [404, {}, 'not found'],
    [302, { Location: 'http://127.0.0.1:1/' }, ''],
    [200, { 'Metadata-Flavor': 'Google' }, '"text"'],
    [200, { 'Metadata-Flavor': 'Google' }, '{"a":1}'],
  ]
  for (const [status, headers, body] of answers) {
    const other = createServer((_, res) => res.writeHead(status, headers).end(body)).listen(0, '127.0.0.1')
    t.teardown(() => other.close())
    await once(other, 'listening')
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    for (const command of ['explain', 'grants']) {
      const { code, out, err } = await run([command, '--server', url], {}, good())
      t.deepEqual([code, out], [1, ''], err)
      t.regex(
        err,
        /NO_SERVER: no metadata server answers at \S+ \(something else listens there\)/,
        `${command} ${body}`,
      )
    }
  }
})

test('a server that does not answer, or has no gates, is told', async (t) => {
  const gone = await run(['explain', `--server=http://127.0.0.1:${await freePort()}`])
  t.regex(gone.err, /NO_SERVER: .*ECONNREFUSED/)
  t.deepEqual([gone.code, gone.out], [1, ''])
  const server = await serve(['--source=local'])
  t.teardown(() => server.stop())
  const { code, err } = await run(['explain', '--server', server.url], {}, 'a')
  t.is(code, 2)
  t.regex(err, /no gate here is for this token; the gates here are for: none/)
})
