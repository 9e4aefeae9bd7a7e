/** What must be refused is refused while the demo stack is used, restarted and rewired. */

import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import jwt from 'jsonwebtoken'
import { DEFAULT_ACCOUNT, FLAVOR, V1 } from '../http-client.ts'
import { createStack, ROOT, startEngine } from './docker.ts'
import { type Away, findAdmitted, type Probe, type Prober, startProber } from './prober.ts'

const METADATA = 'http://metadata.google.internal'
const BILLING = 'http://billing:8080'
const LEDGER = 'http://ledger:8080'
const SECRET = 'the-secret-of-the-prober'
const FOREIGN = { Host: 'evil.example' }
const IDENTITY = `${METADATA}${DEFAULT_ACCOUNT}/identity?audience=${BILLING}`
const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`

const settings = mkdtempSync(join(tmpdir(), 'sidemint-prober-'))
chmodSync(settings, 0o755)
const SETTINGS = readFileSync(join(ROOT, 'examples/compose/sidemint/sidemint.yaml'), 'utf8')

/** As an editor saves: a file that takes the place of the other. */
function write(text: string): void {
  writeFileSync(join(settings, '.next'), text)
  renameSync(join(settings, '.next'), join(settings, 'sidemint.yaml'))
}

const stack = createStack('sidemint-test-prober', {
  files: ['docker-compose.portable.yml', 'test/compose/prober.yaml'],
  variables: { SETTINGS: settings, CONTROL_SECRET: SECRET },
})
let probes: Probe[]
let prober: Prober
const away: Away[] = []
const admitted = () => findAdmitted(probes, prober.seen, away)

/** A token with any claims, signed by the server itself. */
async function issue(claims: object): Promise<string> {
  const { token } = (await stack.evaluate(
    'orders',
    `const response = await fetch('${METADATA}/_sidemint/control/issue', {
      method: 'POST', headers: { Authorization: 'Bearer ${SECRET}' }, body: ${JSON.stringify(JSON.stringify(claims))},
    })
    console.log(await response.text())`,
  )) as { token: string }
  return token
}

async function makeProbes(): Promise<Probe[]> {
  const ofOrders = { serviceAccount: at('orders'), audience: BILLING }
  const good = await issue(ofOrders)
  const [head = '', payload = '', signature = ''] = good.split('.')
  const { email: _, ...claims } = jwt.decode(good) as jwt.JwtPayload
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { header } = jwt.decode(good, { complete: true }) as jwt.Jwt
  const forge = (iss: string) =>
    jwt.sign({ ...claims, iss, email: at('orders') }, privateKey, { algorithm: 'RS256', keyid: header.kid as string })
  const forged = Buffer.from(JSON.stringify({ ...claims, email: at('billing') })).toString('base64url')
  const gate = (name: string, expected: number, token?: string, url = BILLING): Probe => ({
    name,
    url,
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    expected,
  })
  const metadata = (name: string, headers: Record<string, string>, expected: number, url = IDENTITY): Probe => ({
    name,
    url,
    headers,
    expected,
  })
  const control = (name: string, headers: Record<string, string>): Probe => ({
    name,
    url: `${METADATA}/_sidemint/control/reset`,
    method: 'POST',
    headers,
    expected: 401,
  })
  return [
    gate('orders calls billing', 200, good),
    metadata('orders asks for a token', FLAVOR, 200),
    gate('no token', 403),
    gate('an account that is no invoker', 403, await issue({ ...ofOrders, audience: LEDGER }), LEDGER),
    gate('a token for another service', 401, await issue({ ...ofOrders, audience: LEDGER })),
    gate('an expired token', 401, await issue({ ...ofOrders, expiresInSeconds: -600 })),
    gate('a token with other claims under its signature', 401, [head, forged, signature].join('.')),
    gate('a token without its signature', 401, `${head}.${payload}.`),
    gate('a token that another key signed', 401, forge(claims.iss as string)),
    gate('a token of another issuer', 401, forge('https://evil.example')),
    metadata('a foreign Host', { ...FLAVOR, ...FOREIGN }, 403),
    metadata('X-Forwarded-For', { ...FLAVOR, 'X-Forwarded-For': '10.0.0.9' }, 403),
    metadata('no Metadata-Flavor', {}, 403),
    metadata("another's account", FLAVOR, 404, `${METADATA}${V1}/instance/service-accounts/${at('billing')}/token`),
    metadata('the page under a foreign Host', FOREIGN, 403, `${METADATA}/_sidemint/`),
    metadata("the page's data under a foreign Host", FOREIGN, 403, `${METADATA}/_sidemint/requests`),
    control('an order without the secret', {}),
    control('an order with another secret', { Authorization: `Bearer ${SECRET}x` }),
  ]
}

test.before(async () => {
  await startEngine()
  await stack.down()
  write(SETTINGS)
  await stack.compose('up', '--build', '--wait')
  probes = await makeProbes()
  prober = startProber(await stack.container('orders'), probes)
})

test.after.always(async () => {
  prober?.stop()
  await stack.down()
  rmSync(settings, { recursive: true })
})

test.serial('while the stack is used, what must be refused is refused', async (t) => {
  await prober.until('orders calls billing', 200)
  for (let times = 0; times < 5; times += 1) t.is((await stack.askOrders()).status, 200)
  await prober.until('orders asks for a token', 200)
  t.deepEqual(admitted(), [])
  const answered = new Set(prober.seen.map(({ name }) => name))
  t.deepEqual(
    probes.filter(({ name }) => !answered.has(name)),
    [],
  )
})

test.serial('over a restart nothing is admitted, and afterwards what may come is admitted again', async (t) => {
  const one = { fromMs: Date.now(), untilMs: Number.POSITIVE_INFINITY }
  away.push(one)
  await stack.compose('restart', '--timeout', '5', 'sidemint')
  await prober.until('orders calls billing', 200)
  await prober.until('orders asks for a token', 200)
  one.untilMs = Date.now()
  await sleep(2_000)
  t.deepEqual(admitted(), [])
  t.log(`${prober.seen.filter(({ outcome }) => typeof outcome === 'string').length} probes had no answer`)
})

test.serial('while it is rewired, by a sound file and by a broken one, nothing else is admitted', async (t) => {
  const other = SETTINGS.replace(
    `invoker: [serviceAccount:${at('orders')}]`,
    `invoker: [serviceAccount:${at('ledger')}]`,
  )
  t.not(other, SETTINGS)
  write(other)
  await prober.until('orders calls billing', 403)
  write(SETTINGS.slice(0, SETTINGS.lastIndexOf('audience')))
  await sleep(3_000)
  t.is(prober.seen.findLast(({ name }) => name === 'orders calls billing')?.outcome, 403)
  write(SETTINGS)
  await prober.until('orders calls billing', 200)
  t.deepEqual(admitted(), [])
  t.log(`${prober.seen.length} answers`)
})

test.serial('the probes show it where a gate lets everybody through, and where every Host is taken', async (t) => {
  const before = prober.seen.length
  write(`${SETTINGS.replaceAll('upstream:', 'mode: report\n    upstream:')}\nallowHost: ["*"]\n`)
  await prober.until('no token', 200)
  await prober.until('a foreign Host', 200)
  const now = findAdmitted(probes, prober.seen.slice(before)).join('\n')
  for (const name of ['an expired token', 'an account that is no invoker', 'the page under a foreign Host']) {
    t.true(now.includes(`${name}: 200 in place of `), now)
  }
})
