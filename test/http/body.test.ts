import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import test from 'ava'
import { readBody } from '../../src/http/body.ts'
import { Dropped } from '../../src/http/wire.ts'

test('a caller that leaves in the middle of its body is no fault: there is nobody to answer', async (t) => {
  const { promise: thrown, resolve } = Promise.withResolvers<unknown>()
  const server = createServer((req) => void readBody(req, 100).then(resolve, resolve)).listen(0, '127.0.0.1')
  t.teardown(() => void server.close())
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.end('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{')
  t.true((await thrown) instanceof Dropped)
})
