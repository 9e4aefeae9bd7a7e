import test from 'ava'
import { fetchJson } from '../../src/gate/fetch-json.ts'
import { startRawService } from './stack.ts'

const answered = (body: string, head = '') =>
  `HTTP/1.1 200 OK\r\n${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

test('a document is asked for as JSON, over a connection that nothing else uses', async (t) => {
  const { upstream, heads } = await startRawService(t, answered('{"a":1}', 'Cache-Control: no-store\r\n'))
  t.deepEqual(await fetchJson(`${upstream}/a?b`), { body: { a: 1 }, cacheControl: 'no-store' })
  t.regex(heads[0] ?? '', /^GET \/a\?b HTTP\/1\.1\r\n/)
  t.regex(heads[0] ?? '', /\r\naccept: application\/json\r\n/i)
  t.regex(heads[0] ?? '', /\r\nconnection: close\r\n/i)
})

test('a document may have a million bytes and no more', async (t) => {
  const object = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`
  const full = await startRawService(t, answered(object(1_000_000)))
  await t.notThrowsAsync(fetchJson(full.upstream))
  const over = await startRawService(t, answered(object(1_000_001)))
  await t.throwsAsync(fetchJson(over.upstream), { message: `${over.upstream} answered more than 1000000 bytes` })
})

for (const [status, followed] of [
  [201, false],
  [300, true],
  [399, true],
  [400, false],
  [503, false],
] as const) {
  test(`${status} with a Location is ${followed ? 'followed' : 'the answer'}`, async (t) => {
    const { upstream } = await startRawService(t, (head) =>
      head.startsWith('GET /there ')
        ? answered('{}')
        : `HTTP/1.1 ${status} So\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n`,
    )
    if (followed) t.deepEqual((await fetchJson(upstream)).body, {})
    else await t.throwsAsync(fetchJson(upstream), { message: `${upstream} answered ${status}` })
  })
}

test('a number is not a document', async (t) => {
  const { upstream } = await startRawService(t, answered('7'))
  await t.throwsAsync(fetchJson(upstream), { message: `${upstream} did not answer a JSON object` })
})

test.serial('what is wrong with the proxy on the way to an issuer is said, and not its code alone', async (t) => {
  const before = process.env.HTTPS_PROXY
  t.teardown(() => {
    if (before === undefined) delete process.env.HTTPS_PROXY
    else process.env.HTTPS_PROXY = before
  })
  for (const [proxy, said] of [
    [
      'nonsense://',
      'the variable HTTPS_PROXY does not name a usable proxy: proxies of the kind nonsense:// are not supported',
    ],
    ['http://127.0.0.1:1', 'the proxy: ECONNREFUSED'],
  ] as const) {
    process.env.HTTPS_PROXY = proxy
    await t.throwsAsync(fetchJson('https://issuer.example/'), { message: `https://issuer.example/: ${said}` })
  }
})
