/** Google's verifiers from their unpatched packages, with the wiring of docs/receivers.md and no network. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import jsonwebtoken from 'jsonwebtoken'
import { METADATA_ADDRESS } from '../../src/core/google.ts'
import { testWith } from '../clients/toolchain.ts'
import { signLeaf } from '../stand-in/leaf.ts'
import { createNetwork, type Network } from './network.ts'
import { codeOf, tableOf, writeTable } from './page.ts'
import { KINDS, startReceiver } from './receiver.ts'
import { AUDIENCE, EMAIL, makeWrongTokens, type Server, startServer } from './server.ts'

let network: Network
let server: Server
let leaf: ChildProcess
const done: string[] = []

test.before('a network without a way out, and sidemint in it', async () => {
  network = await createNetwork()
  server = await startServer(network)
  leaf = await serveLeaf()
})

test.after.always(async () => {
  leaf?.kill()
  await server?.close()
  await network?.close()
})

const LEAF_URL = 'https://example.com:8443'

/** Shows a certificate for example.com that the key of the stand-in has signed. */
async function serveLeaf(): Promise<ChildProcess> {
  const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')
  const pair = await signLeaf(
    'example.com',
    read(server.keysFolder, 'stand-in.key'),
    read(server.directory, 'certificate.pem'),
  )
  const script = `require('node:https').createServer(${JSON.stringify(pair)}, (_, response) => response.end())
    .on('tlsClientError', () => {}).listen(8443, () => console.log('listening'))`
  const child = network.start([process.execPath, '--eval', script])
  await once(child.stdout, 'data')
  return child
}

const readKeyId = (token: string) => jsonwebtoken.decode(token, { complete: true })?.header.kid

test.serial('nothing but sidemint can be reached', async (t) => {
  t.is(await network.run(['ip', 'route', 'show']), '')
  await t.throwsAsync(network.run(['curl', '--silent', '--max-time', '5', 'https://192.0.2.1']), { code: 7 })
})

/** Each of the four runtimes says it in its own words. */
const NOT_TRUSTED = /CERT_|certificate|altnames|PKIX|No name matching|No subject alternative/i

for (const kind of KINDS) {
  testWith(
    kind.needs,
    `${kind.title}: takes our tokens and refuses wrong ones, through a rotation and a restart`,
    async (t) => {
      t.timeout(240_000)
      const receiver = await startReceiver(kind, network, server)
      t.teardown(receiver.close)
      const accepts = async (token: string, when: string) => {
        const { accepted, refused } = await receiver.verify(token)
        t.like(accepted, { iss: 'https://accounts.google.com', aud: AUDIENCE, email: EMAIL }, `${when}: ${refused}`)
      }
      const first = await server.identity()
      await accepts(first, 'first')
      for (const [name, token] of Object.entries(await makeWrongTokens(server, network))) {
        t.truthy((await receiver.verify(token)).refused, name)
      }
      await accepts(first, 'after wrong ones')
      await server.order('rotate')
      const second = await server.identity()
      t.not(readKeyId(second), readKeyId(first))
      await accepts(second, 'by a new key')
      await accepts(first, 'by the key before')
      await server.restart()
      const third = await server.identity()
      t.is(readKeyId(third), readKeyId(second))
      await accepts(third, 'after a restart')
      await accepts(first, 'from before the restart')

      t.is((await receiver.get('https://www.googleapis.com/oauth2/v3/certs')).status, 200)
      for (const url of ['https://example.com', `https://${METADATA_ADDRESS}`, LEAF_URL]) {
        t.regex((await receiver.get(url)).refused ?? 'nothing', NOT_TRUSTED, url)
      }
      done.push(kind.title)
    },
  )
}

/** As it would be where the page did not say so. */
const LESS: readonly { heading: string; title: string; leaveOut: RegExp }[] = [
  {
    heading: 'Python, verify_token',
    title: 'does not look at the issuer',
    leaveOut: / {4}if claims\["iss"\][\s\S]*?\n.*\n/,
  },
  { heading: 'Go', title: 'does not look at the issuer', leaveOut: /\tif payload\.Issuer[\s\S]*?\n\t\}\n/ },
  { heading: 'Java, google-auth-library', title: 'does not look at the issuer', leaveOut: / +\.setIssuer.*\n/ },
]

for (const { heading, title, leaveOut } of LESS) {
  const kind = KINDS.find((each) => each.heading === heading)
  testWith(kind?.needs ?? [], `${heading} ${title} by itself, as the page says`, async (t) => {
    t.timeout(240_000)
    if (kind === undefined) throw new Error(heading)
    const lines = codeOf(heading)
    t.regex(lines, leaveOut)
    const unaware = lines.replace(leaveOut, '').replace(/\t"errors"\n/, '')
    const receiver = await startReceiver(kind, network, server, unaware)
    t.teardown(receiver.close)
    const wrong = await makeWrongTokens(server, network)
    t.truthy((await receiver.verify(wrong['another issuer'] ?? '')).accepted)
  })
}

testWith(
  ['javac', 'mvn'],
  'newTrustedTransport of google-api-client has a store of its own, as the page says',
  async (t) => {
    t.timeout(240_000)
    const kind = KINDS.find(({ heading }) => heading === 'Java, google-api-client')
    if (kind === undefined) throw new Error('no such kind')
    const lines = codeOf(kind.heading)
      .replaceAll(
        'import com.google.api.client.http.javanet.NetHttpTransport;',
        'import com.google.api.client.googleapis.javanet.GoogleNetHttpTransport;',
      )
      .replace(
        'static final GoogleIdTokenVerifier VERIFIER =',
        'static GoogleIdTokenVerifier verifier() throws Exception { return',
      )
      .replace('new NetHttpTransport()', 'GoogleNetHttpTransport.newTrustedTransport()')
      .replace('.build();', '.build(); }')
      .replace('VERIFIER.verify', 'verifier().verify')
    const receiver = await startReceiver(kind, network, server, lines)
    t.teardown(receiver.close)
    t.regex((await receiver.verify(await server.identity())).refused ?? 'nothing', /PKIX/)
  },
)

test.serial('curl: trusts the hosts by the same variable as Go', async (t) => {
  const env = { SSL_CERT_FILE: join(server.directory, 'bundle.pem') }
  const get = (url: string) => network.run(['curl', '--silent', '--show-error', url], env)
  t.truthy(JSON.parse(await get('https://www.googleapis.com/oauth2/v3/certs')).keys.length)
  for (const url of ['https://example.com', `https://${METADATA_ADDRESS}`, LEAF_URL]) {
    await t.throwsAsync(get(url), { message: NOT_TRUSTED }, url)
  }
})

test.serial('the table on the page is of what was run', (t) => {
  t.true(done.length > 0)
  const rows = KINDS.filter(({ title }) => done.includes(title)).map(({ title, made }) => `${title} | ${made}`)
  const lines = ['| receiver | verifies with |', '|---|---|', ...rows.map((row) => `| ${row} |`)]
  const isWhole = done.length === KINDS.length && process.env.CI !== 'true'
  if (isWhole && !lines.every((line) => tableOf().includes(line))) writeTable(lines, new Date())
  for (const line of lines) t.true(tableOf().includes(line), line)
})
