import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { createSystemNames } from '../../src/identity/dns.ts'

/** A DNS server that names every address `a.b`, and is deaf to the first queries. */
async function startDns(deafTo: number) {
  const socket = createSocket('udp4')
  let queries = 0
  socket.on('message', (query, { port, address }) => {
    queries += 1
    if (queries > deafTo) socket.send(named(query), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address() as AddressInfo
  return { server: `127.0.0.1:${port}`, close: () => socket.close() }
}

/** The query as an answer with one PTR record (RFC 1035, section 4), which points back at the question's name. */
function named(query: Buffer): Buffer {
  const questionEnd = query.indexOf(0, 12) + 5
  const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
  const record = Buffer.from([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 1, 0, 5, 1, 0x61, 1, 0x62, 0])
  return Buffer.concat([head, query.subarray(12, questionEnd), record])
}

test('an address is named although one question gets lost, as on a machine too busy to hear the answer', async (t) => {
  const dns = await startDns(1)
  t.teardown(dns.close)
  t.deepEqual(await createSystemNames(dns.server).reverse('192.0.2.7'), ['a.b'])
})

test.serial('where nobody answers at all, it is given up within the three seconds that clients wait', async (t) => {
  const dns = await startDns(Number.POSITIVE_INFINITY)
  t.teardown(dns.close)
  const startedAt = performance.now()
  await t.throwsAsync(createSystemNames(dns.server).reverse('192.0.2.7'), { code: 'ETIMEOUT' })
  t.true(performance.now() - startedAt < 3_000)
})
