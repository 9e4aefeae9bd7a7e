/** Somebody who knows only the sentence does what stands behind "Fix:", and the same command then works. */

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { startSidemint } from '../../src/index.ts'
import { runCli, startCli } from '../command-line.ts'
import { send, startService } from '../gate/stack.ts'
import { type FakeGoogle, startFakeGoogle } from './start.ts'

const AUDIENCE = 'https://billing-x.a.run.app'
const CI = 'ci@acme-dev.iam.gserviceaccount.com'
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const CREATOR = 'roles/iam.serviceAccountOpenIdTokenCreator'
const LOGIN = /gcloud auth application-default login/

let google: FakeGoogle
let people = 0

test.before(async () => {
  google = await startFakeGoogle()
})
test.after.always(() => google.close())

/** A shell on somebody's machine: what is set in it, and what is typed after `sidemint token --audience …`. */
interface Shell {
  env: NodeJS.ProcessEnv
  flags: string[]
  user: string
  /** What gcloud writes and reads. */
  gcloudFile: string
  /** What this person typed. */
  typed: string[]
}

function openShell(t: ExecutionContext, env: NodeJS.ProcessEnv = {}, flags: string[] = []): Shell {
  const home = mkdtempSync(join(google.dir, 'home-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const user = `person-${people++}@acme.com`
  const gcloudFile = join(home, 'application_default_credentials.json')
  const all = { ...google.env, HOME: home, CLOUDSDK_CONFIG: home, ...env }
  return { env: all, flags, user, gcloudFile, typed: [] }
}

/** What gcloud does with the commands that our sentences name; throws for any other. */
async function gcloud(shell: Shell, command: string): Promise<void> {
  shell.typed.push(command)
  const [, noun = '', ...words] = command.split(' ')
  const option = (name: string) => words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? ''
  const line = [noun, ...words.filter((word) => !word.startsWith('--'))].join(' ')
  if (line === 'auth application-default login') {
    writeFileSync(shell.gcloudFile, JSON.stringify(google.userLogin(shell.user)))
    return
  }
  const [, kind, target = ''] =
    /^(iam service-accounts add-iam-policy-binding|projects add-iam-policy-binding|services enable|iam service-accounts keys create) (\S+)$/.exec(
      line,
    ) ?? []
  if (kind === undefined) throw new Error(`gcloud does not know ${command}`)
  if (kind === 'services enable') google.enableApi(option('project'))
  else if (kind === 'iam service-accounts keys create') {
    writeFileSync(target, JSON.stringify(await google.serviceAccountKey(option('iam-account'))))
  } else google.grant(option('member'), option('role'), target)
}

function part(fix: string, what: RegExp): string {
  const [found] = what.exec(fix) ?? []
  if (found === undefined) throw new Error(`the fix names no ${what}: ${fix}`)
  return found
}

function set(shell: Shell, name: string, value: string | undefined): void {
  shell.typed.push(value === undefined ? `unset ${name}` : `${name}=${value}`)
  shell.env[name] = value
}

const token = ({ env, flags }: Shell) =>
  runCli(['token', '--source', 'google', '--audience', AUDIENCE, ...flags], { env })

interface Case {
  code: string
  /** How it comes to the failure. */
  setUp: (t: ExecutionContext) => Promise<Shell> | Shell
  /** Does what the fix says. */
  follow: (shell: Shell, fix: string) => Promise<void> | void
}

const AS_ORDERS = ['--impersonate-service-account', ORDERS]

/** A login of gcloud's own that may mint as `orders`. */
function loggedIn(t: ExecutionContext, options: Parameters<FakeGoogle['userLogin']>[1] = {}): Shell {
  const shell = openShell(t, {}, AS_ORDERS)
  google.grant(shell.user, CREATOR, ORDERS)
  writeFileSync(shell.gcloudFile, JSON.stringify(google.userLogin(shell.user, options)))
  return shell
}

/** A key file, damaged. */
async function keyFile(t: ExecutionContext, damage: (json: string) => string): Promise<Shell> {
  const email = `ci-${people}@acme-dev.iam.gserviceaccount.com`
  const path = google.write(`${email}.json`, damage(JSON.stringify(await google.serviceAccountKey(email))))
  return openShell(t, { GOOGLE_APPLICATION_CREDENTIALS: path })
}

const CASES: Case[] = [
  {
    code: 'CREDENTIALS_MISSING',
    setUp(t) {
      const shell = openShell(t, {}, AS_ORDERS)
      google.grant(shell.user, CREATOR, ORDERS)
      return shell
    },
    follow: (shell, fix) => gcloud(shell, part(fix, LOGIN)),
  },
  {
    code: 'CREDENTIALS_NOT_A_PATH',
    async setUp(t) {
      return openShell(t, { GOOGLE_APPLICATION_CREDENTIALS: JSON.stringify(await google.serviceAccountKey(CI)) })
    },
    follow(shell, fix) {
      set(shell, part(fix, /SIDEMINT_CREDENTIALS/), shell.env.GOOGLE_APPLICATION_CREDENTIALS)
      shell.typed = ['SIDEMINT_CREDENTIALS=(the content)']
    },
  },
  {
    code: 'CREDENTIALS_MALFORMED',
    setUp: (t) => keyFile(t, (json) => Buffer.from(json).toString('base64')),
    follow(shell, fix) {
      const command = part(fix, /base64 -d/)
      const path = String(shell.env.GOOGLE_APPLICATION_CREDENTIALS)
      writeFileSync(path, execFileSync('sh', ['-c', `${command} < '${path}'`]))
      shell.typed.push(`${command} < FILE > NEW; mv NEW FILE`)
    },
  },
  {
    code: 'KEY_REFUSED',
    async setUp(t) {
      const shell = await keyFile(t, (json) => json)
      const { client_email } = JSON.parse(readFileSync(String(shell.env.GOOGLE_APPLICATION_CREDENTIALS), 'utf8'))
      google.revoke(client_email)
      return shell
    },
    async follow(shell, fix) {
      const file = join(google.dir, 'another.json')
      await gcloud(shell, part(fix, /gcloud iam service-accounts keys create FILE \S+/).replace('FILE', file))
      set(shell, 'GOOGLE_APPLICATION_CREDENTIALS', file)
    },
  },
  {
    code: 'LOGIN_EXPIRED',
    setUp(t) {
      const shell = loggedIn(t)
      google.revoke(shell.user)
      return shell
    },
    follow: (shell, fix) => gcloud(shell, part(fix, LOGIN)),
  },
  {
    code: 'REAUTH_REQUIRED',
    setUp(t) {
      const shell = loggedIn(t)
      const named = join(google.dir, `named-${people}.json`)
      copyFileSync(shell.gcloudFile, named)
      shell.env.GOOGLE_APPLICATION_CREDENTIALS = named
      google.requireReauth(shell.user)
      return shell
    },
    async follow(shell, fix) {
      const again = shell.user.replace('@', '.again@')
      google.grant(again, CREATOR, ORDERS)
      await gcloud({ ...shell, user: again }, part(fix, LOGIN))
      set(shell, part(fix, /GOOGLE_APPLICATION_CREDENTIALS(?= names: unset that)/), undefined)
    },
  },
  {
    code: 'LOGIN_TOO_NARROW',
    setUp: (t) => loggedIn(t, { scopes: ['openid', 'https://www.googleapis.com/auth/userinfo.email'] }),
    follow: (shell, fix) => gcloud(shell, part(fix, LOGIN)),
  },
  {
    code: 'IMPERSONATION_DENIED',
    setUp(t) {
      const shell = loggedIn(t)
      google.ungrant(shell.user, CREATOR, ORDERS)
      return shell
    },
    follow: (shell, fix) => gcloud(shell, part(fix, /gcloud iam service-accounts add-iam-policy-binding \S+ \S+ \S+/)),
  },
  {
    code: 'QUOTA_PROJECT_DENIED',
    setUp: (t) => loggedIn(t, { quotaProject: 'acme-quota' }),
    follow: (shell, fix) => gcloud(shell, part(fix, /gcloud projects add-iam-policy-binding \S+ \S+ \S+/)),
  },
  {
    code: 'API_DISABLED',
    setUp(t) {
      const shell = loggedIn(t, { quotaProject: 'acme-off' })
      google.grant(shell.user, 'roles/serviceusage.serviceUsageConsumer', 'acme-off')
      google.disableApi('acme-off')
      return shell
    },
    follow: (shell, fix) => gcloud(shell, part(fix, /gcloud services enable \S+ \S+/)),
  },
  {
    code: 'USER_TOKEN_AUDIENCE',
    setUp(t) {
      const shell = loggedIn(t)
      shell.flags = []
      return shell
    },
    follow(shell, fix) {
      shell.flags = part(fix, /^--impersonate-service-account EMAIL/)
        .replace('EMAIL', ORDERS)
        .split(' ')
      shell.typed.push(shell.flags.join(' '))
    },
  },
  {
    code: 'SUBJECT_TOKEN_MISSING',
    async setUp(t) {
      const { principal } = await google.workloadProvider()
      google.grant(principal('workload'), 'roles/iam.workloadIdentityUser', ORDERS)
      const adc = await google.externalAccount({ from: 'file', impersonate: ORDERS })
      const { file } = adc.credential_source as { file: string }
      const answer = {
        version: 1,
        success: true,
        token_type: adc.subject_token_type,
        id_token: readFileSync(file, 'utf8'),
      }
      const command = `cat ${google.write('answer.json', JSON.stringify(answer))}`
      const path = google.write('program.json', { ...adc, credential_source: { executable: { command } } })
      return openShell(t, { GOOGLE_APPLICATION_CREDENTIALS: path })
    },
    follow(shell, fix) {
      const [name = '', value] = part(fix, /GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1/).split('=')
      set(shell, name, value)
    },
  },
  {
    code: 'PROXY_UNUSABLE',
    async setUp(t) {
      const shell = await keyFile(t, (json) => json)
      shell.env.HTTPS_PROXY = google.proxyUrl.replace('http:', 'socks5:')
      return shell
    },
    follow: (shell, fix) =>
      set(
        shell,
        'HTTPS_PROXY',
        part(fix, /(?<=HTTPS_PROXY=)http:\/\/HOST:PORT/).replace('HOST:PORT', new URL(google.proxyUrl).host),
      ),
  },
  {
    code: 'TLS_UNTRUSTED',
    async setUp(t) {
      const shell = await keyFile(t, (json) => json)
      delete shell.env.NODE_EXTRA_CA_CERTS
      return shell
    },
    follow: (shell, fix) => set(shell, part(fix, /NODE_EXTRA_CA_CERTS(?==)/), google.caFile),
  },
]

for (const { code, setUp, follow } of CASES) {
  test.serial(`${code}: what its sentence says to do is done, and it works`, async (t) => {
    const shell = await setUp(t)
    const before = await token(shell)
    t.is(before.code, 1)
    const [, found, fix = ''] = /^sidemint: ([A-Z_]+): .*?\. Fix: (.*)$/m.exec(before.stderr) ?? []
    t.is(found, code, before.stderr)
    await follow(shell, fix)
    const after = await token(shell)
    t.is(after.code, 0, `${shell.typed.join('; ')}: ${after.stderr}`)
    t.is(readClaims(after.stdout.trim())?.aud, AUDIENCE)
    t.log(`${code}: ${shell.typed.join('; ')} -> a token for ${AUDIENCE}`)
  })
}

type Follow = (fix: string, headers: string[], argv: string[]) => Promise<string> | string
const AT_THE_GATE: [code: string, invoker: string, audience: string | undefined, follow: Follow][] = [
  [
    'TOKEN_MISSING',
    ORDERS,
    undefined,
    async (fix, headers) => {
      const command = part(fix, /sidemint token --audience \S+ --format full(?: --server \S+)?(?=` prints one)/)
      const { stdout } = await runCli([...command.split(' ').slice(1), '--server', serverUrl])
      headers.push('Authorization', `Bearer ${stdout.trim()}`)
      return command
    },
  ],
  [
    'AUDIENCE_WRONG',
    ORDERS,
    'https://other-x.a.run.app',
    async (fix, headers) => {
      const audience = part(fix, /https:\S+(?=; or let the gate)/)
      headers.push('Authorization', await bearer(audience))
      return `sidemint token --audience ${audience}`
    },
  ],
  [
    'NOT_AN_INVOKER',
    'billing@acme-dev.iam.gserviceaccount.com',
    AUDIENCE,
    async (fix, headers, argv) => {
      headers.push('Authorization', await bearer(AUDIENCE))
      argv.push(part(fix, /--invoker/), `serviceAccount:${ORDERS}`)
      return argv.slice(-2).join(' ')
    },
  ],
]

let serverUrl = ''
const bearer = async (audience: string) =>
  `Bearer ${(await runCli(['token', '--audience', audience, '--server', serverUrl])).stdout.trim()}`

test.serial('what a gate says to do is done, and the service answers', async (t) => {
  await using server = await startSidemint({ serviceAccount: ORDERS })
  serverUrl = server.url
  const { upstream } = await startService(t)
  for (const [code, invoker, audience, follow] of AT_THE_GATE) {
    const argv = ['gate', '--port=0', '--admin-port=0', '--upstream', upstream, '--audience', AUDIENCE]
    argv.push('--trust', server.issuer, '--invoker', `serviceAccount:${invoker}`)
    const gate = await startCli<{ event: string; urls: string[] }>(t, argv)
    const ask = async (urls: string[], headers: string[]) => send(Number(new URL(urls[0] ?? '').port), headers)
    t.not(
      (await ask(gate.banner.urls, audience === undefined ? [] : ['Authorization', await bearer(audience)])).status,
      200,
    )
    await gate.logged('gate', 1)
    const line = gate.records.find(({ event }) => event === 'gate')
    t.is(line?.code, code)
    const headers: string[] = []
    const more = [...argv]
    const typed = await follow(String(line?.reason).split('. Fix: ')[1] ?? '', headers, more)
    const { banner } = await startCli<{ event: string; urls: string[] }>(t, more)
    const { status, body } = await ask(banner.urls, headers)
    t.is(`${status} ${body}`, '200 ok')
    t.log(`${code}: ${typed} -> ${status}`)
  }
})
