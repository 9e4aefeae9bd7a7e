/**
 * Odd HTTP from both sides of a gate, by a seed: a service that answers with nearly anything, and callers that send
 * nearly anything. Whatever they do, the gate answers for another service behind it.
 */

import type { ExecutionContext } from 'ava'
import { createEvents } from '../../src/core/events.ts'
import { createOddities } from '../oddities.ts'
import { createRandom } from '../random.ts'
import { listenGates, sendRaw, startRawService } from './stack.ts'

/** Cases between two questions to the sound service, and how many of them are under way at once. */
const BATCH = 50

/** Sends `cases` odd requests to a service that answers oddly, and asks the sound service beside it now and then. */
export async function fuzz(t: ExecutionContext, seed: number, cases: number): Promise<void> {
  const { request, answer } = createOddities(createRandom(seed), 'odd')
  const odd = await startRawService(t, answer)
  const good = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const gates = [odd, good].map(({ upstream }, at) => ({
    host: at === 0 ? 'odd' : 'good',
    upstream,
    invokers: ['allUsers'],
  }))
  const port = (await listenGates(t, gates, { events: createEvents() })).get(0) ?? 0
  const plain = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  for (let done = 0; done < cases; done += BATCH) {
    await Promise.all(
      Array.from({ length: BATCH }, (_, at) => sendRaw(port, at % 2 === 0 ? request() : plain('odd'), { end: true })),
    )
    t.regex(
      await sendRaw(port, plain('good')),
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/,
      `seed ${seed}, after ${done + BATCH}`,
    )
  }
  t.true(odd.heads.length > cases / 3, 'few requests reached the service')
}
