/** sidemint with a stand-in in a network of our own, and the tokens that receivers there should take and refuse. */

import { createHmac, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import jsonwebtoken from 'jsonwebtoken'
import { createSigningKeys } from '../../src/issuer/keys.ts'
import { DEFAULT_ACCOUNT } from '../http-client.ts'
import { ROOT } from './installs.ts'
import type { Network } from './network.ts'

export const AUDIENCE = 'https://billing.example'
export const EMAIL = 'billing@acme-dev.iam.gserviceaccount.com'
const SECRET = 'a-secret-of-this-suite'
const METADATA = 'http://metadata.google.internal'

export interface Server {
  /** What receivers mount. */
  directory: string
  /** Where the keys are. */
  keysFolder: string
  /** What it has written to its log. */
  log(): string
  identity(audience?: string): Promise<string>
  accessToken(): Promise<string>
  order(name: 'rotate' | 'issue', body?: object): Promise<Record<string, string>>
  /** The same key file and directory, another process. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface ServerOptions {
  /** Instead of those of a stand-in. */
  flags?: readonly string[]
  env?: Readonly<Record<string, string>>
}

export async function startServer(network: Network, { flags, env: more = {} }: ServerOptions = {}): Promise<Server> {
  const keysFolder = mkdtempSync(join(tmpdir(), 'sidemint-receivers-'))
  const directory = join(keysFolder, 'shown')
  const local = ['--source=local', `--stand-in=${directory}`, `--key-file=${join(keysFolder, 'key.pem')}`]
  const listening = ['--host=0.0.0.0', '--port=80', '--log-format=json', `--service-account=${EMAIL}`]
  const command = [process.execPath, join(ROOT, 'src/cli.ts'), 'serve', ...listening, ...(flags ?? local)]
  const env = {
    HOME: keysFolder,
    SIDEMINT_CONTROL_SECRET: SECRET,
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/node'),
    ...more,
  }
  let log = ''
  const start = async () => {
    const child = network.start(command, env)
    const isReady = new Promise<void>((ready) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (log.includes('"listening"')) ready()
      })
    })
    await Promise.race([
      isReady,
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`sidemint ended with ${code}: ${log}`))),
    ])
    return child
  }
  let child = await start()
  const stop = async () => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  const ask = (path: string) =>
    network.run([
      'curl',
      '--fail',
      '--silent',
      '--show-error',
      '--header',
      'Metadata-Flavor: Google',
      `${METADATA}${path}`,
    ])
  return {
    directory,
    keysFolder,
    log: () => log,
    identity: (audience = AUDIENCE) =>
      ask(`${DEFAULT_ACCOUNT}/identity?format=full&audience=${encodeURIComponent(audience)}`),
    accessToken: async () => JSON.parse(await ask(`${DEFAULT_ACCOUNT}/token`)).access_token,
    order: async (name, body = {}) =>
      JSON.parse(
        await network.run([
          ...['curl', '--fail', '--silent', '--show-error', '--header', `Authorization: Bearer ${SECRET}`],
          ...['--data', JSON.stringify(body), `${METADATA}/_sidemint/control/${name}`],
        ]),
      ),
    async restart() {
      await stop()
      log = ''
      child = await start()
    },
    async close() {
      await stop()
      rmSync(keysFolder, { recursive: true, force: true })
    },
  }
}

/** One for each way in which a token can be wrong. */
export async function makeWrongTokens(server: Server, network: Network): Promise<Record<string, string>> {
  const good = await server.identity()
  const [header = '', payload = '', signature = ''] = good.split('.')
  const claims = jsonwebtoken.decode(good) as Record<string, unknown>
  const kid = jsonwebtoken.decode(good, { complete: true })?.header.kid ?? ''
  const certificates = JSON.parse(await network.run(['curl', '--silent', `${METADATA}/oauth2/v1/certs`]))
  const published = createPublicKey(certificates[kid]).export({ type: 'spki', format: 'pem' })
  const other = await createSigningKeys({ settings: {}, warn: () => {}, now: Date.now }).signing()
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const forged = `${encode({ alg: 'HS256', kid, typ: 'JWT' })}.${payload}`
  const issue = async (more: object) => (await server.order('issue', { audience: AUDIENCE, ...more })).token ?? ''
  return {
    'another key': jsonwebtoken.sign(claims, other.privateKey, { algorithm: 'RS256', keyid: kid }),
    'HS256 with the public key': `${forged}.${createHmac('sha256', published).update(forged).digest('base64url')}`,
    expired: await issue({ expiresInSeconds: -600 }),
    'another audience': await server.identity('https://other.example'),
    'another issuer': await issue({ claims: { iss: METADATA } }),
    tampered: `${header}.${encode({ ...claims, email: 'root@acme-dev.iam.gserviceaccount.com' })}.${signature}`,
    'alg none': `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'access token': await server.accessToken(),
  }
}
