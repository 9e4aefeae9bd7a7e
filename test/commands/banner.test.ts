import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { announce } from '../../src/commands/banner.ts'
import { settle } from '../../src/config/layers.ts'
import { createLog } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'

async function bannerOf(host: string, options: object = {}, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const settings = settle({ options: { source: 'local', host, port: 0, ...options } })
  const server = await startServer({ settings, env })
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  announce(server, createLog({ format: 'text', level: 'info', colour: false, write, now: Date.now }), settings)
  await server.close()
  return lines.join('').replaceAll(`:${new URL(server.url).port}`, ':PORT')
}

test('the banner of a server on loopback names the variables with its own address', async (t) => {
  const banner = await bannerOf('127.0.0.1')
  t.regex(banner, /apps +GCE_METADATA_HOST=127\.0\.0\.1:PORT GCE_METADATA_IP=127\.0\.0\.1:PORT /)
})

test('the banner points `sidemint env` at the server, unless it is where that looks by itself', async (t) => {
  t.regex(await bannerOf('127.0.0.1'), /eval "\$\(sidemint env --server http:\/\/127\.0\.0\.1:PORT\)"/)
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  const settings = settle({ options: { source: 'local', port: 0 } })
  const server = await startServer({ settings, env: {} })
  t.teardown(() => server.close())
  const asIfThere = { ...server, url: settings.server }
  announce(asIfThere, createLog({ format: 'text', level: 'info', colour: false, write, now: Date.now }), settings)
  t.regex(lines.join(''), /eval "\$\(sidemint env\)"/)
})

for (const host of ['0.0.0.0', '::']) {
  test(`the banner of a server on ${host}, as in a container, names the alias: loopback is another place for its apps`, async (t) => {
    const banner = await bannerOf(host)
    t.regex(banner, /apps +GCE_METADATA_HOST=metadata\.google\.internal:PORT /)
    t.notRegex(banner, /GCE_METADATA_\w+=(127|\[)/)
    t.regex(banner, /sidemint env --format compose/)
    t.regex(banner, /none is needed .*169\.254\.169\.254/)
  })
}

test('the banner says where the page is, and in a container what publishing its port would give away', async (t) => {
  t.regex(await bannerOf('127.0.0.1'), /page +http:\/\/127\.0\.0\.1:PORT\/_sidemint\/ shows who called whom/)
  t.regex(await bannerOf('0.0.0.0'), /page +\/_sidemint\/ of this port; publish it to 127\.0\.0\.1 alone/)
  const real = await bannerOf('0.0.0.0', { source: 'google' })
  t.regex(real, /page +\/_sidemint\/ of this port; do not publish it: every program of the host would get real tokens/)
})

const LOGIN = { type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'refresh' }
const KEY = {
  type: 'service_account',
  client_email: 'orders@acme-dev.iam.gserviceaccount.com',
  private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
}
const ALLOWED = { source: 'google', allowUserTokens: true }
const RIGHTS = / is served as it is/
for (const [title, credential, options, warning] of [
  [
    'a user login is',
    LOGIN,
    ALLOWED,
    /WARN a user login is served as it is \(--allow-user-tokens\): .* rights of that user/,
  ],
  [
    'a workforce login is',
    { ...LOGIN, type: 'external_account_authorized_user' },
    ALLOWED,
    /WARN a workforce login is served as it is \(--allow-user-tokens\): .* rights of that user/,
  ],
  ['a user login that impersonates is not', LOGIN, { ...ALLOWED, serviceAccount: KEY.client_email }, undefined],
  ['a user login is not by default', LOGIN, { source: 'google' }, undefined],
  ['a key is not a person', KEY, ALLOWED, undefined],
  ['the local source is not a person', LOGIN, { source: 'local', allowUserTokens: true }, undefined],
] as const) {
  test(`the banner warns where a person is served as they are: ${title}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sidemint-banner-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const path = join(directory, 'adc.json')
    writeFileSync(path, JSON.stringify(credential))
    const banner = await bannerOf('127.0.0.1', options, { GOOGLE_APPLICATION_CREDENTIALS: path })
    if (warning === undefined) t.notRegex(banner, RIGHTS)
    else t.regex(banner, warning)
  })
}

test('advice is a warning of the banner', async (t) => {
  const banner = await bannerOf('127.0.0.1', { source: 'google' })
  t.regex(banner, /WARN nothing names a project, so sidemint-local is shown\. Fix: --project ID/)
})
