import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { text } from 'node:stream/consumers'
import test from 'ava'
import type { ListenOptions } from '../../src/http/listener.ts'
import { createPorts } from '../../src/http/ports.ts'
import { ask } from '../http-client.ts'

const door = (says: string, port = 0): ListenOptions => ({
  host: '127.0.0.1',
  port,
  handler: (_, res) => void res.end(says),
  headers: [],
})

test('a port of the next set stays open with its connections, and answers by the next handler once the set is in force', async (t) => {
  const ports = createPorts()
  t.teardown(() => ports.close(0))
  const first = await ports.prepare(new Map([['a', door('one')]]))
  first.enter()
  const url = `http://127.0.0.1:${first.portOf('a')}`
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const said = async () => {
    const [response] = await once(get(url, { agent }), 'response')
    const { localPort } = response.socket
    return [await text(response), localPort]
  }
  const [one, socket] = await said()
  t.is(one, 'one')
  const next = await ports.prepare(new Map([['a', door('two')]]))
  t.is(next.portOf('a'), first.portOf('a'))
  t.deepEqual(await said(), ['one', socket], 'the set before is in force until then')
  next.enter()
  t.deepEqual(await said(), ['two', socket])
})

test('a set with a port that is taken opens none, and leaves those that are open', async (t) => {
  const ports = createPorts()
  t.teardown(() => ports.close(0))
  const first = await ports.prepare(new Map([['a', door('one')]]))
  first.enter()
  const taken = first.portOf('a')
  const wanted = new Map([
    ['a', door('two')],
    ['b', door('b')],
    ['c', door('c', taken)],
  ])
  await t.throwsAsync(ports.prepare(wanted), { code: 'PORT_TAKEN' })
  t.is((await ask(`http://127.0.0.1:${taken}`, '/')).body, 'one')
})

test('a port that is not in the next set ends, what is in flight there is answered by its own handler, and close waits for it', async (t) => {
  const ports = createPorts()
  let answer = () => {}
  const reached = Promise.withResolvers<void>()
  const slow: ListenOptions = {
    ...door(''),
    handler(_, res) {
      answer = () => res.end('late')
      reached.resolve()
    },
  }
  const first = await ports.prepare(new Map([['slow', slow]]))
  first.enter()
  const url = `http://127.0.0.1:${first.portOf('slow')}`
  const reply = ask(url, '/')
  await reached.promise
  const next = await ports.prepare(new Map([['other', door('other')]]))
  next.enter()
  await t.throwsAsync(ask(url, '/'), { code: 'ECONNREFUSED' })
  t.is((await ask(`http://127.0.0.1:${next.portOf('other')}`, '/')).body, 'other')
  const closed = ports.close(20_000)
  answer()
  t.is((await reply).body, 'late')
  await closed
})
