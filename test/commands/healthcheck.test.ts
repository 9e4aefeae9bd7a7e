import test from 'ava'
import { startSidemint } from '../../src/index.ts'
import { run } from './run.ts'

const portOf = ({ url }: { url: string }) => new URL(url).port

/** A port where nothing listens. */
async function closedPort(): Promise<string> {
  const gone = await startSidemint()
  await gone.close()
  return portOf(gone)
}

test('healthcheck is 0 where a server serves and 1 where none does', async (t) => {
  await using server = await startSidemint()
  const port = portOf(server)
  t.deepEqual(await run(['healthcheck', '--port', port]), { code: 0, out: '', err: '' })
  t.is((await run(['healthcheck', '--ready'], { SIDEMINT_PORT: port, SIDEMINT_HOST: '0.0.0.0' })).code, 0)
  const none = await run(['healthcheck'], { SIDEMINT_PORT: await closedPort(), SIDEMINT_HOST: '' })
  t.is(none.code, 1)
  t.regex(none.err, /^sidemint: 127\.0\.0\.1:\d+\/_sidemint\/health: ECONNREFUSED\n$/)
})

test('healthcheck is 2 for misuse', async (t) => {
  for (const argv of [['--port'], ['--port=x'], ['--port=65536'], ['--redy'], ['extra']]) {
    const { code, out, err } = await run(['healthcheck', ...argv])
    t.is(code, 2, argv.join(' '))
    t.is(out, '')
    t.false(err.includes('INTERNAL'))
  }
})
