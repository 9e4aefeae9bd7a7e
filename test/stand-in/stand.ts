/** A server with a stand-in on a free port, and clients that find it under Google's names. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type Agent, request } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents, type NoticeEvent } from '../../src/core/events.ts'
import { type RunningServer, startServer } from '../../src/server.ts'
import { prepareDirectory } from '../../src/stand-in/directory.ts'

export interface Stand {
  server: RunningServer
  /** What receivers mount. */
  directory: string
  certificate: string
  port: number
  notices: NoticeEvent[]
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

let first: Promise<string> | undefined

/**
 * A folder with a directory `shown` and its key beside it, as a first start leaves them: most of that start goes into the
 * trust store of the system's roots. Not to be written to.
 */
export function firstStart(): Promise<string> {
  first ??= makeFirst()
  return first
}

async function makeFirst(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'sidemint-stand-in-'))
  await prepareDirectory({ directory: join(root, 'shown'), keyFile: undefined, now: Date.now, warn: () => {} })
  return root
}

test.after.always(async () => {
  if (first !== undefined) await rm(await first, { recursive: true, force: true })
})

/** Settings as startServer takes them from a program; where no directory is named, it is a restart on one of its own. */
export async function startStand(options: Record<string, unknown> = {}, now: () => number = Date.now): Promise<Stand> {
  const root = await mkdtemp(join(tmpdir(), 'sidemint-stand-in-'))
  const directory = String(options.standIn ?? join(root, 'shown'))
  if (options.standIn === undefined) {
    await cp(await firstStart(), root, { recursive: true, preserveTimestamps: true })
  }
  const events = createEvents()
  const notices: NoticeEvent[] = []
  events.subscribe((event) => {
    if (event.type === 'notice') notices.push(event)
  })
  const settings = settle({
    options: { source: 'local', port: 0, standInPort: 0, gatePort: 0, ...options, standIn: directory },
  })
  const server = await startServer({ settings, env: {}, events, now, frontGates: true })
  const close = async () => {
    await server.close()
    await rm(root, { recursive: true, force: true })
  }
  return {
    server,
    directory,
    certificate: readFileSync(join(directory, 'certificate.pem'), 'utf8'),
    port: server.standInPort ?? 0,
    notices,
    close,
    [Symbol.asyncDispose]: close,
  }
}

export interface SecureReply {
  status: number
  headers: NodeJS.Dict<string | string[]>
  body: string
  /** The body as JSON. */
  json: Record<string, unknown>
}

export interface CallOptions {
  method?: string
  headers?: Record<string, string>
  body?: string
  tls?: ConnectionOptions
  /** Keeps connections; without one each call has its own. */
  agent?: Agent
}

/** Calls a URL of Google's at the stand-in, with its certificate as the only trust anchor. */
export async function call(
  { port, certificate }: Pick<Stand, 'port' | 'certificate'>,
  url: string,
  { method = 'GET', headers = {}, body, tls, agent }: CallOptions = {},
): Promise<SecureReply> {
  const { hostname, pathname, search } = new URL(url)
  const asked = request({
    host: '127.0.0.1',
    port,
    path: `${pathname}${search}`,
    method,
    headers: { host: hostname, ...headers },
    servername: hostname,
    ca: certificate,
    agent: agent ?? false,
    ...tls,
  })
  asked.end(body)
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return {
    status: response.statusCode,
    headers: response.headers,
    body: text,
    json: text.startsWith('{') ? JSON.parse(text) : {},
  }
}

/** A proxy as HTTPS_PROXY names it, by which unmodified clients find the stand-in under Google's names and port. */
export async function startProxy(port: number): Promise<{ url: string; close(): void }> {
  const proxy = createServer()
  proxy.on('connect', (_, socket: Socket) => {
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(upstream).pipe(socket)
    })
    for (const end of [socket, upstream]) end.on('error', () => [socket, upstream].map((each) => each.destroy()))
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, close: () => void proxy.close() }
}
