/** The stand-in as a process on port 443: what it finds on the disk and on the wire, when that is not as it should be. */

import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { METADATA_ADDRESS } from '../../src/core/google.ts'
import { certify, generateKey } from '../../src/stand-in/certificate.ts'
import { ROOT } from './installs.ts'
import { createNetwork, type Network } from './network.ts'
import { type Server, startServer } from './server.ts'

const CERTS = 'https://www.googleapis.com/oauth2/v3/certs'

let network: Network
let server: Server

test.before('sidemint with a stand-in', async () => {
  network = await createNetwork()
  server = await startServer(network)
})

test.after.always(async () => {
  await server?.close()
  await network?.close()
})

const certificatePath = () => join(server.directory, 'certificate.pem')

/** What curl prints with the certificate as its only trust anchor. */
const curl = (...args: readonly string[]) =>
  network.run(['curl', '--silent', '--show-error', '--cacert', certificatePath(), ...args])

test.serial('an expired certificate on the disk is renewed at the start, and receivers are told of it', async (t) => {
  const key = generateKey()
  const longAgo = Date.now() - 500 * 24 * 3_600_000
  writeFileSync(join(server.keysFolder, 'stand-in.key'), key.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(certificatePath(), await certify(key, longAgo))
  await t.throwsAsync(
    curl('--resolve', `www.googleapis.com:443:${METADATA_ADDRESS}`, CERTS),
    { code: 60 },
    'the server that runs shows another',
  )
  await server.restart()
  t.truthy(JSON.parse(await curl(CERTS)).keys.length)
  t.regex(server.log(), /STAND_IN_CERTIFICATE: .* restart the receivers/)
})

test.serial('a directory that is half written is completed at the start', async (t) => {
  const before = readFileSync(certificatePath(), 'utf8')
  truncateSync(join(server.directory, 'bundle.pem'), 1000)
  unlinkSync(join(server.directory, 'truststore.p12'))
  await server.restart()
  t.is(readFileSync(certificatePath(), 'utf8'), before)
  t.true(readFileSync(join(server.directory, 'bundle.pem'), 'utf8').endsWith(before))
  t.true(readFileSync(join(server.directory, 'truststore.p12')).length > 1000)

  truncateSync(certificatePath(), 100)
  await server.restart()
  t.truthy(JSON.parse(await curl(CERTS)).keys.length)
})

/** How a sidemint of its own ends, which cannot start. */
async function fail(within: Network, flags: readonly string[], folder: string): Promise<{ code: number; log: string }> {
  const command = [process.execPath, join(ROOT, 'src/cli.ts'), 'serve', '--source=local', '--port=0', ...flags]
  const child = within.start(command, { HOME: folder })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const [code] = await once(child, 'close')
  return { code, log }
}

function scratch(t: { teardown(undo: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-bad-'))
  chmodSync(folder, 0o777)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test.serial('a taken port 443 is an error that names the setting', async (t) => {
  const folder = scratch(t)
  const { code, log } = await fail(network, [`--stand-in=${join(folder, 'shown')}`], folder)
  t.is(code, 1)
  t.regex(log, /443/)
  t.regex(log, /PORT_TAKEN.*--stand-in-port/)
})

test.serial('without the right to port 443 it says so, as a user who is not root', async (t) => {
  const folder = scratch(t)
  const guarded = await createNetwork({ uid: process.getuid?.() || 65_534, freePortsFrom: 1024 })
  t.teardown(() => guarded.close())
  const { code, log } = await fail(guarded, [`--stand-in=${join(folder, 'shown')}`], folder)
  t.is(code, 1)
  t.regex(log, /ADDRESS_UNAVAILABLE: .*:443 \(EACCES\)\. Fix: .*ip_unprivileged_port_start=0.* --stand-in-port/)
})

test.serial("another user's directory is an error that says whose it is", async (t) => {
  const folder = scratch(t)
  const shown = join(folder, 'shown')
  mkdirSync(shown, { mode: 0o555 })
  const other = await createNetwork({ uid: process.getuid?.() || 65_534 })
  t.teardown(() => other.close())
  const { code, log } = await fail(other, [`--stand-in=${shown}`, '--stand-in-port=0'], folder)
  t.is(code, 1)
  t.regex(log, /STAND_IN_UNUSABLE.*belongs to the user \d+/)
})

test.serial('a host that is not served is a 404 that says who answers', async (t) => {
  const answer = await curl('--insecure', '--header', 'Host: storage.googleapis.com', `https://${METADATA_ADDRESS}/`)
  t.regex(answer, /sidemint's stand-in .* not Google/)
  await t.throwsAsync(curl('https://example.com/'), { code: 60 }, 'its name is not in the certificate')
})

test.serial('without SNI the Host header says who is meant', async (t) => {
  const url = `https://${METADATA_ADDRESS}/oauth2/v3/certs`
  const answer = await curl('--insecure', '--header', 'Host: www.googleapis.com', url)
  t.truthy(JSON.parse(answer).keys.length)
})

test.serial('the log says who does not trust the certificate, and of other failed handshakes what to do', async (t) => {
  const said = (reason: string, fix: string) =>
    new RegExp(`STAND_IN_HANDSHAKE: the handshake with 169\\.254\\.169\\.254 failed \\(${reason}\\)\\. Fix: ${fix}`)
  await t.throwsAsync(network.run(['curl', '--silent', CERTS]), { code: 60 })
  const old = ['--ciphers', 'DEFAULT@SECLEVEL=0', '--tlsv1.1', '--tls-max', '1.1']
  await t.throwsAsync(curl(...old, CERTS), { code: 35 })
  await t.throwsAsync(curl(CERTS.replace('https:', 'http:').replace('.com', '.com:443')))
  await curl(CERTS)
  t.regex(server.log(), said('\\w*UNKNOWN_CA', 'let it trust the certificate; sidemint env --receiver says how'))
  t.regex(server.log(), said('ERR_SSL_UNSUPPORTED_PROTOCOL', 'let it speak TLS 1\\.2 or later'))
  t.regex(server.log(), said('ERR_SSL_HTTP_REQUEST', 'let it call https, not http'))
})

test.serial('a client certificate does no harm', async (t) => {
  const folder = scratch(t)
  const key = generateKey()
  const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
  writeFileSync(files.key, key.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(files.cert, await certify(key, Date.now()))
  t.truthy(JSON.parse(await curl('--cert', files.cert, '--key', files.key, CERTS)).keys.length)
})

test.serial('TLS 1.0 and 1.1 are refused', async (t) => {
  for (const version of ['1.0', '1.1']) {
    const old = ['--ciphers', 'DEFAULT@SECLEVEL=0', `--tlsv${version}`, '--tls-max', version]
    await t.throwsAsync(curl(...old, CERTS), { code: 35 }, version)
  }
})
