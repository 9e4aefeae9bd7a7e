/** Gateways that verify our tokens, with the configurations of docs/receivers.md and no network. */

import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { testWith } from '../clients/toolchain.ts'
import { installGo } from './installs.ts'
import { createNetwork, type Network } from './network.ts'
import { codeOf } from './page.ts'
import { EMAIL, makeWrongTokens, type Server, startServer } from './server.ts'

const scratch = mkdtempSync(join(tmpdir(), 'sidemint-gateways-'))
let network: Network
let server: Server
let service: ReturnType<Network['start']>

test.before('sidemint, and a service behind the gateways ', async () => {
  network = await createNetwork()
  server = await startServer(network)
  const script = `require('node:http').createServer((_, response) => response.end('billing'))
    .listen(9000, '127.0.0.1', () => console.log('listening'))`
  service = network.start([process.execPath, '--eval', script])
  await once(service.stdout, 'data')
})

test.after.always(async () => {
  service?.kill()
  await server?.close()
  await network?.close()
  rmSync(scratch, { recursive: true, force: true })
})

/** A file of the scratch folder with this text, where the page's paths are those of this machine. */
function write(name: string, text: string): string {
  const path = join(scratch, name)
  writeFileSync(path, text.replaceAll('/etc/sidemint-stand-in', server.directory).replaceAll('/etc/haproxy', scratch))
  return path
}

function readIfThere(name: string): string {
  const path = join(scratch, name)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** What a gateway answers to who calls with the token. */
async function call(port: number, token: string): Promise<string> {
  const headers = token === '' ? [] : ['--header', `Authorization: Bearer ${token}`]
  const status = ['--silent', '--output', '/dev/null', '--write-out', '%{http_code}']
  return network.run(['curl', ...status, ...headers, `http://127.0.0.1:${port}/`])
}

interface CheckOptions {
  env?: Record<string, string>
  /** Through how many rotations it goes without being started again. */
  rotations: number
}

/** Starts it, and calls it with a good token and each kind of wrong one, before and after rotations. */
async function check(
  t: ExecutionContext,
  command: readonly string[],
  port: number,
  { env = {}, rotations }: CheckOptions,
) {
  const gateway = network.start(command, { HOME: scratch, ...env })
  let said = ''
  for (const stream of [gateway.stdout, gateway.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  t.teardown(() => void gateway.kill())
  for (let tries = 0; (await call(port, '').catch(() => '000')) === '000'; tries += 1) {
    if (tries === 100 || gateway.exitCode !== null)
      throw new Error(`it does not answer: ${said}${readIfThere('apache.log')}`)
    await setTimeout(100)
  }
  const good = await server.identity()
  t.is(await call(port, good), '200', said)
  t.regex(await call(port, ''), /^40[13]$/, 'no token')
  for (const [name, token] of Object.entries(await makeWrongTokens(server, network))) {
    t.regex(await call(port, token), /^40[13]$/, name)
  }
  t.is(await call(port, good), '200', `as ${EMAIL}, after wrong ones`)
  for (let rotation = 1; rotation <= rotations; rotation += 1) {
    await server.order('rotate')
    t.is(await call(port, await server.identity()), '200', `by the key of rotation ${rotation}: ${said}`)
    t.is(await call(port, good), '200', `by the key before, at rotation ${rotation}`)
  }
  return gateway
}

testWith(['haproxy', 'jq', 'openssl'], 'HAProxy, jwt_verify with our keys', async (t) => {
  const makeFiles = () => network.run(['sh', '-c', `cd '${scratch}' && ${codeOf('HAProxy')}`])
  const command = ['haproxy', '-db', '-f', write('haproxy.cfg', codeOf("HAProxy's configuration"))]
  await makeFiles()
  const first = await check(t, command, 8081, { rotations: 1 })
  await server.order('rotate')
  t.is(await call(8081, await server.identity()), '401', 'a second rotation, with the same files')
  first.kill()
  await once(first, 'exit')
  await makeFiles()
  await check(t, command, 8081, { rotations: 1 })
})

const MODULES = '/usr/lib/apache2/modules'

testWith(
  ['apache2', existsSync(`${MODULES}/mod_auth_openidc.so`) ? 'apache2' : 'mod_auth_openidc'],
  'Apache, mod_auth_openidc by JWKS over https',
  async (t) => {
    const names = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_openidc', 'proxy', 'proxy_http']
    const settings = `
    ServerRoot ${scratch}
    ServerName localhost
    PidFile ${scratch}/apache.pid
    ErrorLog ${scratch}/apache.log
    User www-data
    Listen 8082
    ${names.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
    ${codeOf('Apache, mod_auth_openidc')}`
    await check(t, ['apache2', '-X', '-f', write('apache.conf', settings)], 8082, { rotations: 2 })
  },
)

const OAUTH2_PROXY = ['github.com/oauth2-proxy/oauth2-proxy/v7', 'v7.15.6'] as const

testWith(['go'], 'oauth2-proxy, by discovery', async (t) => {
  t.timeout(900_000)
  const program = await installGo(...OAUTH2_PROXY)
  const env = { SSL_CERT_FILE: join(server.directory, 'bundle.pem') }
  await check(t, [program, '--config', write('oauth2-proxy.cfg', codeOf('oauth2-proxy'))], 8083, { env, rotations: 2 })
})
