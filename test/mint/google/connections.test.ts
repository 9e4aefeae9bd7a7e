/** How the few connections to Google are shared: whoever uses one is told by its agent. */

import type { Agent } from 'node:http'
import test from 'ava'
import { OutOfTime } from '../../../src/mint/bounded.ts'
import { createConnections } from '../../../src/mint/google/connections.ts'
import type { Destination } from '../../../src/mint/google/thrown.ts'

const total = new AbortController().signal
const to = (host: string): Destination => ({ url: new URL(`https://${host}.example/`), proxy: undefined })
const ready = () => new Promise((resolve) => setImmediate(resolve))

/** Connections of which a test says when each is free again. `keeps`: after a failure. */
function setUp(keeps = false) {
  const { use } = createConnections(() => keeps)
  return {
    use,
    /** Takes a connection to the host; the agent is there once it has one. */
    take(host: string, signal = total) {
      const done = Promise.withResolvers<void>()
      const taken: { agent?: Agent; end: () => void; fail: (error: Error) => void; used: Promise<void> } = {
        end: done.resolve,
        fail: done.reject,
        used: use(to(host), signal, (agent) => {
          taken.agent = agent
          return done.promise
        }),
      }
      return taken
    },
    once: (host: string) => use(to(host), total, async (agent) => agent),
  }
}

test('a connection is used again for its own host alone, the one last used first', async (t) => {
  const { once, take } = setUp()
  const a = await once('a')
  const b = await once('b')
  t.not(a, b)
  t.is(await once('a'), a)
  t.is(await once('b'), b)
  const [first, second] = [take('a'), take('a')]
  await ready()
  t.is(first.agent, a)
  t.not(second.agent, a)
  first.end()
  await first.used
  second.end()
  await second.used
  t.is(await once('a'), second.agent as Agent)
})

test('sixteen are open at once, and whoever comes then waits for the next that is free', async (t) => {
  const { take } = setUp()
  const taken = Array.from({ length: 16 }, () => take('a'))
  const late = take('a')
  await ready()
  t.is(new Set(taken.map(({ agent }) => agent)).size, 16)
  t.is(late.agent, undefined)
  taken[3]?.end()
  await ready()
  t.is(late.agent, taken[3]?.agent)
})

test('whoever waits no longer gets none, and others get theirs', async (t) => {
  const { take } = setUp()
  const taken = Array.from({ length: 16 }, () => take('a'))
  const ending = new AbortController()
  const [before, gone, after] = [take('a'), take('a', ending.signal), take('a')]
  ending.abort()
  await t.throwsAsync(gone.used, { instanceOf: OutOfTime })
  taken[0]?.end()
  taken[1]?.end()
  await ready()
  t.deepEqual([before.agent, gone.agent, after.agent], [taken[0]?.agent, undefined, taken[1]?.agent])
})

test('the end of the time of one that has its connection takes nothing from others', async (t) => {
  const { take } = setUp()
  const taken = Array.from({ length: 16 }, () => take('a'))
  const ending = new AbortController()
  const [served, waits] = [take('a', ending.signal), take('a')]
  taken[0]?.end()
  await ready()
  t.truthy(served.agent)
  ending.abort()
  taken[1]?.end()
  await ready()
  t.is(waits.agent, taken[1]?.agent)
})

for (const keeps of [true, false]) {
  test(`a connection is ${keeps ? 'kept' : 'closed'} after a failure ${keeps ? 'with' : 'without'} an answer`, async (t) => {
    const { take, once } = setUp(keeps)
    const failing = take('a')
    await ready()
    failing.fail(new Error('failed'))
    await t.throwsAsync(failing.used, { message: 'failed' })
    t.is((await once('a')) === failing.agent, keeps)
  })
}

test('a closed connection makes room', async (t) => {
  const { take } = setUp()
  const taken = Array.from({ length: 16 }, () => take('a'))
  const late = take('b')
  taken[0]?.fail(new Error('failed'))
  await t.throwsAsync(taken[0]?.used as Promise<void>)
  await ready()
  t.truthy(late.agent)
})

test('a host that has none takes the place of the longest idle one of another host', async (t) => {
  const { take, once } = setUp()
  const idle = await once('a')
  Array.from({ length: 15 }, () => take('b'))
  const late = take('c')
  await ready()
  t.truthy(late.agent, 'though it is the only one of that host')
  const again = take('a')
  await ready()
  t.is(again.agent, undefined)
  late.end()
  await ready()
  t.not(again.agent, undefined)
  t.not(again.agent, idle)
})

test('a host that has some takes the place of another host with several, and leaves every host one', async (t) => {
  const { take, once } = setUp()
  const pair = [take('a'), take('a')]
  await ready()
  for (const { end, used } of pair) {
    end()
    await used
  }
  Array.from({ length: 14 }, () => take('b'))
  const [first, second] = [take('b'), take('b')]
  await ready()
  t.truthy(first.agent)
  t.is(second.agent, undefined)
  t.is(await once('a'), pair[1]?.agent as Agent, 'the longest idle was closed')
})

test('who waits for a host that is busy does not keep another from its own connection', async (t) => {
  const { take } = setUp()
  const a = take('a')
  Array.from({ length: 15 }, () => take('b'))
  await ready()
  const [busy, other] = [take('b'), take('a')]
  a.end()
  await ready()
  t.is(busy.agent, undefined)
  t.is(other.agent, a.agent)
})
