import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import test from 'ava'
import { createSystemNames } from '../../src/identity/dns.ts'

/** A DNS server that names every address `a.b`, and is deaf to the first queries. */
async function startDns(deafTo: number) {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (query, { port, address }) => {
    asked.push(questionOf(query))
    if (asked.length > deafTo) socket.send(named(query), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address() as AddressInfo
  return { server: `127.0.0.1:${port}`, asked, close: () => socket.close() }
}

/** The name that is asked for (RFC 1035, section 4.1.2). */
function questionOf(query: Buffer): string {
  const labels: string[] = []
  for (let at = 12; query[at] !== 0; at += 1 + (query[at] ?? 0)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)))
  }
  return labels.join('.')
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
  t.deepEqual(dns.asked, ['7.2.0.192.in-addr.arpa', '7.2.0.192.in-addr.arpa'])
})

test('an IPv6 address is asked for by its own name', async (t) => {
  const dns = await startDns(0)
  t.teardown(dns.close)
  t.deepEqual(await createSystemNames(dns.server).reverse('2001:db8::1'), ['a.b'])
  t.deepEqual(dns.asked, [`1${'.0'.repeat(23)}.8.b.d.0.1.0.0.2.ip6.arpa`])
})

test('our own addresses are those that others reach us by, each with its network', (t) => {
  for (const { address, cidr } of createSystemNames().ownAddresses()) {
    t.notRegex(address, /^127\.|^::1$/)
    t.true(cidr.startsWith(`${address}/`))
  }
  const outside = Object.values(networkInterfaces()).flatMap((all = []) => all.filter(({ internal }) => !internal))
  t.deepEqual(
    createSystemNames()
      .ownAddresses()
      .map(({ address }) => address),
    outside.map(({ address }) => address),
  )
})

test.serial('where nobody answers at all, it is given up within the three seconds that clients wait', async (t) => {
  const dns = await startDns(Number.POSITIVE_INFINITY)
  t.teardown(dns.close)
  const startedAt = performance.now()
  await t.throwsAsync(createSystemNames(dns.server).reverse('192.0.2.7'), { code: 'ETIMEOUT' })
  t.true(performance.now() - startedAt < 3_000)
  t.is(dns.asked.length, 3)
})
