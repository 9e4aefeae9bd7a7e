/** .NET and PHP: what their libraries fetch and check is replayed, in a network without a way out. */

import { join } from 'node:path'
import test from 'ava'
import { METADATA_ADDRESS } from '../../src/core/google.ts'
import { testWith } from '../clients/toolchain.ts'
import { HOUR } from '../clock.ts'
import { createNetwork, type Network } from './network.ts'
import { createVerifier, REPLAYS } from './replays.ts'
import { AUDIENCE, makeWrongTokens, type Server, startServer } from './server.ts'

let network: Network
let server: Server

test.before('a network without a way out, and sidemint in it', async () => {
  network = await createNetwork()
  server = await startServer(network)
})

test.after.always(async () => {
  await server?.close()
  await network?.close()
})

/** Of each way in which a token is wrong, why it is refused: not because of something else. */
const REASONS: Readonly<Record<string, RegExp>> = {
  'another key': /signature/i,
  'HS256 with the public key': /algorithm/,
  expired: /expired/i,
  'another audience': /aud/i,
  'another issuer': /issuer/i,
  tampered: /signature/i,
  'alg none': /algorithm/i,
  'access token': /JSON/,
}

for (const replay of REPLAYS) {
  testWith(
    replay.needs,
    `${replay.title}: takes our tokens and refuses wrong ones, through a rotation and a restart`,
    async (t) => {
      t.timeout(120_000)
      const verify = createVerifier(replay, network, server.directory, Date.now)
      const accepts = async (token: string, when: string) => {
        const { accepted, refused } = await verify(token)
        t.like(accepted, { iss: 'https://accounts.google.com', aud: AUDIENCE }, `${when}: ${refused}`)
      }
      const first = await server.identity()
      await accepts(first, 'first')
      for (const [name, token] of Object.entries(await makeWrongTokens(server, network))) {
        const { refused } = await verify(token)
        t.regex(refused ?? 'taken', REASONS[name] ?? /^$/, name)
      }
      await server.order('rotate')
      await accepts(await server.identity(), 'by a new key')
      await accepts(first, 'by the key before')
      await server.restart()
      await accepts(await server.identity(), 'after a restart')
      const another = createVerifier(replay, network, server.directory, Date.now)
      t.truthy((await another(first)).accepted, 'in a process that starts now')
    },
  )
}

const [dotnet, php] = REPLAYS
testWith(
  dotnet.needs,
  '.NET keeps keys for an hour, so it does not take a token after two rotations within one, as the page says',
  async (t) => {
    let nowMs = Date.now()
    const verify = createVerifier(dotnet, network, server.directory, () => nowMs)
    t.truthy((await verify(await server.identity())).accepted)
    await server.order('rotate')
    await server.order('rotate')
    const { token = '' } = await server.order('issue', { audience: AUDIENCE, expiresInSeconds: 7200 })
    t.regex((await verify(token)).refused ?? 'taken', /signature/)
    nowMs += HOUR
    t.truthy((await verify(token)).accepted, 'with the keys that it fetches then')
  },
)

testWith(
  php.needs,
  'PHP: its curl trusts the hosts by curl.cainfo, and refuses other names; SSL_CERT_FILE is not read',
  async (t) => {
    const bundle = join(server.directory, 'bundle.pem')
    const script = join(import.meta.dirname, 'php/fetch.php')
    const get = (url: string, settings: readonly string[], env = {}) =>
      network.run(['php', ...settings.flatMap((each) => ['-d', each]), script, url], env)
    const certs = 'https://www.googleapis.com/oauth2/v3/certs'
    const trusting = [`curl.cainfo=${bundle}`]
    t.is(JSON.parse(await get(certs, trusting)).status, 200)
    for (const url of ['https://example.com', `https://${METADATA_ADDRESS}`]) {
      await t.throwsAsync(get(url, trusting), { message: /cURL error 60/ }, url)
    }
    await t.throwsAsync(get(certs, [], { SSL_CERT_FILE: bundle }), { message: /cURL error 60/ })
  },
)
