/**
 * Odd HTTP from both sides of the metadata server, by a seed: clients that send nearly anything, and a Google that
 * answers nearly anything. Whatever they do, the server mints the next token that is asked for plainly.
 */

import type { ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { startServer } from '../../src/server.ts'
import { sendRaw } from '../gate/stack.ts'
import { startFakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { ANN, CREATOR, ORDERS } from '../mint/google/rows.ts'
import { createOddities, TARGETS } from '../oddities.ts'
import { createRandom } from '../random.ts'

/** Cases between two plain questions, and how many of them are under way at once. */
const BATCH = 50
/** Of a batch: requests for tokens that Google answers oddly, each asked up to three times. */
const ODD_ANSWERS = 10
const BOUNDS = { attemptMs: 5_000, totalMs: 20_000, retryDelaysMs: [1, 1] }

const PATHS = [
  ...TARGETS,
  '/computeMetadata/v1/',
  '/computeMetadata/v1/instance/?recursive=true&alt=odd',
  `${DEFAULT_ACCOUNT}/identity?audience=%zz`,
  `${DEFAULT_ACCOUNT}/identity?audience=${'a'.repeat(9_000)}`,
  `${DEFAULT_ACCOUNT}/token?scopes=,,%00`,
  '/computeMetadata/v1/instance/service-accounts/__proto__/token',
  '/.well-known/openid-configuration',
  '/_sidemint/metrics',
]

/** Sends `cases` odd requests and odd answers to a server, and asks it plainly now and then. */
export async function fuzz(t: ExecutionContext, seed: number, cases: number): Promise<void> {
  await using google = await startFakeGoogle()
  google.trust()
  google.grant(ANN, CREATOR, ORDERS)
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google', impersonateServiceAccount: [ORDERS] } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: google.write('ann.json', google.userLogin(ANN)) },
    bounds: BOUNDS,
  })
  t.teardown(() => server.close())
  const port = Number(new URL(server.url).port)
  const { request, answer } = createOddities(createRandom(seed), `127.0.0.1:${port}`, PATHS)
  const mint = (audience: string) => ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`)
  for (let done = 0; done < cases; done += BATCH) {
    await Promise.all(Array.from({ length: BATCH - ODD_ANSWERS }, () => sendRaw(port, request(), { end: true })))
    for (let at = 0; at < 3 * ODD_ANSWERS; at += 1) google.fault({ kind: 'raw', text: answer(), times: 1 })
    const statuses = await Promise.all(
      Array.from({ length: ODD_ANSWERS }, async (_, at) => (await mint(`odd-${done + at}`)).status),
    )
    t.deepEqual(
      statuses.filter((status) => ![200, 403, 404, 503].includes(status)),
      [],
    )
    google.clearFaults()
    const { status, body } = await mint(`https://sound-${done}.example`)
    t.is(status, 200, `seed ${seed}, after ${done + BATCH}: ${body}`)
  }
}
