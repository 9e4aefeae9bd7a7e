import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { run } from './run.ts'

async function listen(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a server that accepts and stays silent is named after three seconds, with what to type', async (t) => {
  const url = await listen(t, () => {})
  const startedAt = performance.now()
  const asked = [['token', '--audience=a'], ['curl', 'http://127.0.0.1:9/'], ['explain'], ['grants']].map((argv) =>
    run(argv, { SIDEMINT_SERVER: url }, 'a.b.c'),
  )
  for (const { code, out, err } of await Promise.all(asked)) {
    t.deepEqual([code, out], [1, ''])
    t.true(
      err.endsWith(
        `sidemint: NO_SERVER: no metadata server answers at ${url} (nothing came within 3 s). Fix: restart what listens there, or name another server with --server\n`,
      ),
      err,
    )
  }
  t.true(performance.now() - startedAt < 10_000)
})

test('a server that is there may take longer for a mint, or for the keys of an issuer', async (t) => {
  const url = await listen(t, ({ url: path }, response) => {
    response.setHeader('Metadata-Flavor', 'Google')
    if (path === '/') response.end()
    else setTimeout(() => response.writeHead(503).end('{"error":"X","error_description":"y"}'), 3_500)
  })
  const asked = [['token', '--audience=a'], ['explain']].map((argv) => run(argv, { SIDEMINT_SERVER: url }, 'a.b.c'))
  for (const { err } of await Promise.all(asked)) t.regex(err, /SERVER_REFUSED: the server at \S+ answered 503: /)
})
