/** What the page costs while hits are asked: CPU a request with pages open, against the same server with none. */

import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { type Bench, type Row, row } from './bench.ts'
import { identityPath, request, WARM } from './hits.ts'
import { cpuUs, launch, type Running, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

/** A round must be longer than the quarter of a second for which a stream collects changes. */
const REQUESTS = 6_000
const ROUNDS = 21
const CONNECTIONS = 32
/** As many as a server takes. */
const MOST_PAGES = 100
const NONE = 'no page'

export async function benchPage({ load, directory, sidemint }: Bench): Promise<Row[]> {
  const port = await freePort()
  const server = await launch('sidemint', port, sidemint(['--port', String(port), '--source', 'local']), {
    core: SERVER_CORE,
    log: join(directory, 'page.log'),
  })
  const rows: Row[] = []
  for (const audiences of [1, 1_000]) {
    const requests = Array.from({ length: audiences }, (_, at) => request(`127.0.0.1:${port}`, identityPath(at)))
    const drive = (count: number) => load.drive({ host: server.host, port, requests, count, connections: CONNECTIONS })
    await drive(WARM)
    const costUs = async (pages: number) => {
      const close = await openPages(server, pages)
      const before = cpuUs(server.pid)
      const { failures } = await drive(REQUESTS)
      const spentUs = cpuUs(server.pid) - before
      close()
      if (Object.keys(failures).length > 0) throw new Error(JSON.stringify(failures))
      return spentUs / REQUESTS
    }
    const figures = await alternate(ROUNDS, {
      [NONE]: () => costUs(0),
      'one page': () => costUs(1),
      'a hundred pages': () => costUs(MOST_PAGES),
    })
    for (const [ours, budget] of [
      ['one page', 1.1],
      ['a hundred pages', undefined],
    ] as const) {
      const what = `identity, cached, ${audiences.toLocaleString('en')} audience${audiences === 1 ? '' : 's'}, ${ours} open`
      rows.push(row({ what, unit: 'µs CPU a request', figures, ours, base: NONE, budget }))
    }
  }
  await server.stop()
  return rows
}

/** Streams as pages have them, read as fast as they come. What it returns closes them. */
async function openPages({ host, port }: Running, count: number): Promise<() => void> {
  const asked = Array.from({ length: count }, () =>
    get({ host, port, path: '/_sidemint/events', agent: false }).on('error', () => {}),
  )
  const answers = (await Promise.all(asked.map((one) => once(one, 'response')))) as [IncomingMessage][]
  for (const [answer] of answers) {
    if (answer.statusCode !== 200) throw new Error(`a stream was answered ${answer.statusCode}`)
    answer.on('error', () => {}).resume()
  }
  return () => {
    for (const one of asked) one.destroy()
  }
}
