import test from 'ava'
import { announce } from '../../src/commands/banner.ts'
import { settle } from '../../src/config/layers.ts'
import { createLog } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'

async function bannerOf(host: string, options: object = {}): Promise<string> {
  const settings = settle({ options: { source: 'local', host, port: 0, ...options } })
  const server = await startServer({ settings, env: {} })
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  announce(server, createLog({ format: 'text', level: 'info', colour: false, write, now: Date.now }), settings)
  await server.close()
  return lines.join('').replaceAll(`:${new URL(server.url).port}`, ':PORT')
}

test('the banner of a server on loopback names the variables with its own address', async (t) => {
  const banner = await bannerOf('127.0.0.1')
  t.regex(banner, /apps +GCE_METADATA_HOST=127\.0\.0\.1:PORT GCE_METADATA_IP=127\.0\.0\.1:PORT /)
})

test('the banner points `sidemint env` at the server, unless it is where that looks by itself', async (t) => {
  t.regex(await bannerOf('127.0.0.1'), /eval "\$\(sidemint env --server http:\/\/127\.0\.0\.1:PORT\)"/)
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  const settings = settle({ options: { source: 'local', port: 0 } })
  const server = await startServer({ settings, env: {} })
  t.teardown(() => server.close())
  const asIfThere = { ...server, url: settings.server }
  announce(asIfThere, createLog({ format: 'text', level: 'info', colour: false, write, now: Date.now }), settings)
  t.regex(lines.join(''), /eval "\$\(sidemint env\)"/)
})

for (const host of ['0.0.0.0', '::']) {
  test(`the banner of a server on ${host}, as in a container, names the alias: loopback is another place for its apps`, async (t) => {
    const banner = await bannerOf(host)
    t.regex(banner, /apps +GCE_METADATA_HOST=metadata\.google\.internal:PORT /)
    t.notRegex(banner, /GCE_METADATA_\w+=(127|\[)/)
    t.regex(banner, /sidemint env --format compose/)
    t.regex(banner, /none is needed .*169\.254\.169\.254/)
  })
}

test('the banner says where the page is, and in a container what publishing its port would give away', async (t) => {
  t.regex(await bannerOf('127.0.0.1'), /page +http:\/\/127\.0\.0\.1:PORT\/_sidemint\/ shows who called whom/)
  t.regex(await bannerOf('0.0.0.0'), /page +\/_sidemint\/ of this port; publish it to 127\.0\.0\.1 alone/)
  const real = await bannerOf('0.0.0.0', { source: 'google' })
  t.regex(real, /page +\/_sidemint\/ of this port; do not publish it: every program of the host would get real tokens/)
})

const RIGHTS = /WARN a user login is served as it is \(--allow-user-tokens\): .* all rights of that user/
test('the banner warns where a user login is served as it is, and only there', async (t) => {
  t.regex(await bannerOf('127.0.0.1', { source: 'google', allowUserTokens: true }), RIGHTS)
  t.notRegex(await bannerOf('127.0.0.1', { source: 'google' }), RIGHTS)
  t.notRegex(await bannerOf('127.0.0.1', { source: 'local', allowUserTokens: true }), RIGHTS)
})

test('advice is a warning of the banner', async (t) => {
  const banner = await bannerOf('127.0.0.1', { source: 'google' })
  t.regex(banner, /WARN nothing names a project, so sidemint-local is shown\. Fix: --project ID/)
})
