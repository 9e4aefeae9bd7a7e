import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { help } from '../../src/commands/gate.ts'
import { help as serveHelp } from '../../src/commands/serve.ts'
import { scratch, startGate, startService } from '../gate/process.ts'
import { run } from './run.ts'

test('a gate stops within a second, also over an open event stream, an upload and a WebSocket', async (t) => {
  let uploading = () => {}
  const upload = new Promise<void>((resolve) => {
    uploading = resolve
  })
  const { url, service } = await startService(t, (req, res) => {
    if (req.method === 'GET') res.write('data: 1\n\n')
    else uploading()
  })
  service.on('upgrade', (_, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  const gate = await startGate(t, ['--upstream', url, '--invoker=allUsers'])
  const { port } = new URL(gate.front)
  const clients = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ].map((request) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => {}).write(request)
    return socket
  })
  const closed = Promise.all(clients.map((socket) => once(socket, 'close')))
  await Promise.all([clients[0], clients[2]].map((socket) => socket && once(socket, 'data')))
  await upload
  const { code, tookMs } = await gate.stop()
  t.is(code, 0)
  t.true(tookMs < 3_000, `${tookMs} ms`)
  await closed
})

test('everything that is wrong is said at once, with exit code 2', async (t) => {
  const argv = ['gate', '--upstream=ledger', '--invoker=bob,user:x', '--prot=1', '--mode=off', '--audience=x']
  const { code, err: stderr } = await run(argv, { SIDEMINT_ADMIN_PORT: 'x' })
  t.is(code, 2)
  for (const named of ['--upstream', '--invoker[0]', '--invoker[1]', '--prot', '--mode', 'SIDEMINT_ADMIN_PORT']) {
    t.true(stderr.includes(named), named)
  }
  const policy = join(scratch, 'policy.json')
  writeFileSync(policy, '{"bindings":[{"role":"roles/run.invoker","members":["allUsers"],"condition":{"title":"x"}}]}')
  const refused = await run(['gate', '--upstream=http://a', '--audience=x', '--policy', policy])
  t.is(refused.code, 2)
  t.regex(
    refused.err,
    /condition.*; take that binding out of the file, and name whom it should admit in --invoker\. Fix: /,
  )
  for (const told of [refused.err, (await run(['gate', '--upstream=http://a', '--audience=x', '--invoker=bob'])).err])
    t.is(told.split('Fix: ').length, 2, told)
})

test('--help names what there is not, the defaults of this command, and no setting of another', (t) => {
  t.regex(help(), /no h2c and no gRPC/)
  t.regex(help(), /--port N .*\(default: 8080\)/)
  t.notRegex(help(), /--source|--key-file/)
  t.regex(serveHelp(), /--port N .*\(default: 16925\)/)
  t.notRegex(serveHelp(), /--upstream|--invoker/)
})
