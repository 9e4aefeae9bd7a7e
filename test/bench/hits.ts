/** What a cached answer costs: CPU a request against the bare server that sends the same bytes. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Bench, type Row, row } from './bench.ts'
import { cpuUs, freePort, launch, type Measured, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

const ROUNDS = 4
const REQUESTS = 16_000
const CONNECTIONS = 32
const ACCOUNT = '/computeMetadata/v1/instance/service-accounts/default'
const TOKEN = `${ACCOUNT}/token`
/** What Google's libraries send; a request of theirs has about as many headers. */
const CLIENT_HEADERS = [
  'Metadata-Flavor: Google',
  'User-Agent: google-api-nodejs-client/10.5.0',
  'X-Goog-Api-Client: gl-node/24.21.0',
  'Accept: */*',
  'Connection: keep-alive',
]

export function identityPath(index: number): string {
  return `${ACCOUNT}/identity?audience=${encodeURIComponent(`https://service-${index}-abc123-uc.a.run.app`)}&format=full`
}

export function request(host: string, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${CLIENT_HEADERS.join('\r\n')}\r\n\r\n`
}

export async function benchHits({ load, directory, sidemint, rival }: Bench): Promise<Row[]> {
  const sets = [
    { what: 'identity, cached', paths: [identityPath(0)], budget: 1.25 },
    { what: 'token, cached', paths: [TOKEN], budget: 1.25 },
    ...[10].map((audiences) => ({
      what: `identity, cached, ${audiences.toLocaleString('en')} audiences`,
      paths: Array.from({ length: audiences }, (_, index) => identityPath(index)),
      budget: undefined,
    })),
  ]
  const port = await freePort()
  const ours = await launch('sidemint', port, sidemint(['--port', String(port), '--source', 'local']), {
    core: SERVER_CORE,
    log: join(directory, 'hits.log'),
  })
  const rows: Row[] = []
  for (const { what, paths, budget } of sets) {
    const drive = (server: Measured, count: number) =>
      load.drive({
        host: server.host,
        port: server.port,
        requests: paths.map((path) => request(`${server.host}:${server.port}`, path)),
        count,
        connections: CONNECTIONS,
      })
    await drive(ours, paths.length)
    const answers = join(directory, `answers-${paths.length}.json`)
    writeFileSync(
      answers,
      JSON.stringify(await Promise.all(paths.map(async (path) => [path, await answer(port, path)]))),
    )
    const barePort = await freePort()
    const bare = await launch('bare node:http', barePort, [process.execPath, BARE, String(barePort), answers], {
      core: SERVER_CORE,
    })
    const servers: Measured[] = [ours, bare, ...(rival === undefined ? [] : [rival])]
    for (const server of servers) await drive(server, Math.max(REQUESTS, 2 * paths.length))
    const costUs = async (server: Measured) => {
      const { pid } = server
      const before = pid === undefined ? 0 : cpuUs(pid)
      const { failures, seconds } = await drive(server, REQUESTS)
      if (server !== rival && Object.keys(failures).length > 0)
        throw new Error(`${server.name}: ${JSON.stringify(failures)}`)
      return (pid === undefined ? seconds * 1e6 : cpuUs(pid) - before) / REQUESTS
    }
    const figures = await alternate(
      ROUNDS,
      Object.fromEntries(servers.map((server) => [server.name, () => costUs(server)])),
    )
    rows.push(row({ what, unit: 'µs CPU a request', figures, ours: ours.name, base: bare.name, budget }))
    if (rival !== undefined)
      rows.push(
        row({ what: `${what}, ${rival.name}`, unit: 'µs CPU a request', figures, ours: rival.name, base: bare.name }),
      )
    await bare.stop()
  }
  await ours.stop()
  return rows
}

const BARE = new URL('bare.mjs', import.meta.url).pathname

/** An answer as the bare server is to send it; the date and the connection are Node's own. */
async function answer(port: number, path: string): Promise<{ headers: string[]; body: string }> {
  const asked = get({ port, host: '127.0.0.1', path, headers: { 'Metadata-Flavor': 'Google' }, agent: false })
  const [response] = await once(asked, 'response')
  const own = /^(date|connection|keep-alive)$/i
  const pairs: [string, string][] = []
  for (let at = 0; at < response.rawHeaders.length; at += 2) {
    if (!own.test(response.rawHeaders[at])) pairs.push([response.rawHeaders[at], response.rawHeaders[at + 1]])
  }
  return { headers: pairs.flat(), body: await text(response) }
}
