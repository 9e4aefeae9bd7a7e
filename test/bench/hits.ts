/** What a cached answer costs: CPU a request against the bare server that sends the same bytes. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '../free-port.ts'
import { DEFAULT_ACCOUNT } from '../http-client.ts'
import { type Bench, type Row, row } from './bench.ts'
import { cpuUs, launch, type Measured, type Running, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

/** Short and many: what else the machine does changes within a second, and then meets both of a round. */
export const ROUNDS = 121
export const REQUESTS = 800
/** The compiler of Node.js has done its work by then. */
export const WARM = 15_000
const CONNECTIONS = 32
/** Of a locally signed ID token. */
const TOKEN_LENGTH = 780
export const TOKEN = `${DEFAULT_ACCOUNT}/token`
/** What Google's libraries send; a request of theirs has about as many headers. */
const CLIENT_HEADERS = [
  'Metadata-Flavor: Google',
  'User-Agent: google-api-nodejs-client/10.5.0',
  'X-Goog-Api-Client: gl-node/24.21.0',
  'Accept: */*',
  'Connection: keep-alive',
]

export function identityPath(index: number): string {
  return `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(`https://service-${index}-abc123-uc.a.run.app`)}&format=full`
}

export function request(host: string, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${CLIENT_HEADERS.join('\r\n')}\r\n\r\n`
}

/** `script` is the bare server, or another one beside it that sends the same file of answers. */
export function bareArgv(port: number, answers: string, script = 'bare.mjs'): string[] {
  return [process.execPath, join(import.meta.dirname, script), String(port), answers]
}

/** A file of answers for the bare server, as long as ours, where nothing of ours was asked before. */
export function bareAnswers(directory: string, paths: readonly string[]): string {
  const file = join(directory, `answers-${paths.length}-alike.json`)
  const headers = ['Metadata-Flavor', 'Google', 'Server', 'Metadata Server for VM', 'Content-Type', 'text/html']
  const body = 'x'.repeat(TOKEN_LENGTH)
  const answer = { headers: [...headers, 'Content-Length', String(body.length)], body }
  writeFileSync(file, JSON.stringify(paths.map((path) => [path, answer])))
  return file
}

/** The bare server, and Koa alone, with the very bytes that ours has just answered. */
export async function launchAlike(
  directory: string,
  from: Measured,
  paths: readonly string[],
): Promise<[Running, Running]> {
  const file = join(directory, `answers-${paths.length}.json`)
  const answers: [string, Copy][] = []
  for (const path of paths) answers.push([path, await copy(from.port, path)])
  writeFileSync(file, JSON.stringify(answers))
  const [barePort, koaPort] = [await freePort(), await freePort()]
  return [
    await launch('bare node:http', barePort, bareArgv(barePort, file), { core: SERVER_CORE }),
    await launch('Koa alone', koaPort, bareArgv(koaPort, file, 'koa.mjs'), { core: SERVER_CORE }),
  ]
}

export async function benchHits({ load, directory, sidemint, rival }: Bench): Promise<Row[]> {
  const sets = [
    { what: 'identity, cached', paths: [identityPath(0)], budget: 1.25 },
    { what: 'token, cached', paths: [TOKEN], budget: 1.25 },
    ...[10, 1_000, 10_000].map((audiences) => ({
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
    const [bare, koa] = await launchAlike(directory, ours, paths)
    const servers: Measured[] = [ours, bare, koa, ...(rival === undefined ? [] : [rival])]
    const failures = new Map<string, object>()
    const costUs = async (server: Measured) => {
      const { name, pid } = server
      const before = pid === undefined ? 0 : cpuUs(pid)
      const outcome = await drive(server, REQUESTS)
      if (Object.keys(outcome.failures).length > 0) failures.set(name, outcome.failures)
      return (pid === undefined ? outcome.seconds * 1e6 : cpuUs(pid) - before) / REQUESTS
    }
    for (const server of servers) await drive(server, Math.max(WARM, paths.length))
    const figures = await alternate(
      ROUNDS,
      Object.fromEntries(servers.map((server) => [server.name, () => costUs(server)])),
    )
    for (const { name } of [ours, bare, koa]) {
      if (failures.has(name)) throw new Error(`${name}: ${JSON.stringify(failures.get(name))}`)
    }
    const line = (of: Measured, note = '', most?: number) =>
      row({
        what: `${what}${note}`,
        unit: of.pid === undefined ? 'µs a request' : 'µs CPU a request',
        figures,
        ours: of.name,
        base: bare.name,
        budget: most,
      })
    rows.push(line(ours, '', budget))
    if (budget !== undefined) rows.push(line(koa, ': Koa alone, beside it'))
    if (rival !== undefined) {
      const failed = failures.has(rival.name) ? `, which fails: ${JSON.stringify(failures.get(rival.name))}` : ''
      rows.push(line(rival, `: ${rival.name}${failed}`))
    }
    await bare.stop()
    await koa.stop()
  }
  await ours.stop()
  return rows
}

interface Copy {
  headers: string[]
  body: string
}

const kept = new Agent({ keepAlive: true })

/** An answer as the bare server is to send it; the date and the connection are Node's own. */
async function copy(port: number, path: string): Promise<Copy> {
  const asked = get({ port, host: '127.0.0.1', path, headers: { 'Metadata-Flavor': 'Google' }, agent: kept })
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const body = await text(response)
  const headers = response.rawHeaders.flatMap((name, at, all) =>
    at % 2 === 1 || /^(date|connection|keep-alive)$/i.test(name) ? [] : [name, all[at + 1] ?? ''],
  )
  return { headers, body }
}
