/** A gate between a client and a service, all real, for the gate's tests. */

import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { type CutEvent, createEvents, type GateEvent, type NoticeEvent } from '../../src/core/events.ts'
import { createGates, type GatesOptions } from '../../src/gate/hosts.ts'
import { createJudges, type JudgesOptions } from '../../src/gate/judge.ts'
import type { GateOptions } from '../../src/gate/options.ts'
import { listen as listenHttp } from '../../src/http/listener.ts'
import { recordEvents } from '../recorder.ts'
import { type Issuer, startIssuer } from './issuer.ts'

export const RUN = 'https://ledger-abc123-uc.a.run.app'
export const BILLING = 'billing@acme-dev.iam.gserviceaccount.com'

export interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
}

export let issuer: Issuer
test.before(async () => {
  issuer = await startIssuer()
})

/** A good token of billing for the service, with claims changed. */
export const token = (claims: Record<string, unknown> = {}) =>
  issuer.sign({ aud: RUN, email: BILLING, email_verified: true, ...claims })
export const bearer = (claims: Record<string, unknown> = {}) => `Bearer ${token(claims)}`

const sockets = new WeakMap<Server, Set<Socket>>()

export async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>()
  sockets.set(server, open)
  server.on('connection', (socket) => open.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

export async function stop(server: Server): Promise<void> {
  for (const socket of sockets.get(server) ?? []) socket.destroy()
  if (server.listening) await new Promise((closed) => server.close(closed))
}

/** A service that remembers what reached it; by default it answers `ok`. */
export async function startService(t: ExecutionContext, answer: RequestListener = (_, res) => void res.end('ok')) {
  const reached: IncomingMessage[] = []
  const service = http.createServer((req, res) => {
    reached.push(req)
    answer(req, res)
  })
  const port = await listen(service)
  t.teardown(() => stop(service))
  return { service, reached, upstream: `http://127.0.0.1:${port}` }
}

/** A service that answers every request with these bytes as they are, whatever they are, and then closes. */
export async function startRawService(t: ExecutionContext, bytes: string | Buffer | ((head: string) => string)) {
  const heads: string[] = []
  const service = createServer((socket) => {
    let received = ''
    socket.on('error', () => {})
    socket.setEncoding('latin1').on('data', (chunk) => {
      received += chunk
      if (!received.includes('\r\n\r\n')) return
      heads.push(received)
      const answer = typeof bytes === 'function' ? bytes(received) : bytes
      socket.removeAllListeners('data').resume().end(answer, 'latin1')
    })
  })
  const port = await listen(service)
  t.teardown(() => stop(service))
  return { heads, upstream: `http://127.0.0.1:${port}` }
}

/** What a gate of these tests is, where it says nothing else: it admits billing alone, by the test's issuer alone. */
const ORDINARY = {
  audiences: [RUN],
  invokers: [`serviceAccount:${BILLING}`],
  groups: {},
  subjects: {},
  strip: 'both',
  mode: 'enforce',
  gcloudAudiences: true,
} as const satisfies Partial<GateOptions>

export type GateUnderTest = Partial<GateOptions> & { upstream: string }

/** The gates on free ports: the ports by those that the gates name, or by 0 where they name none. */
export async function listenGates(
  t: ExecutionContext,
  list: readonly GateUnderTest[],
  options: GatesOptions & JudgesOptions,
) {
  const judges = await createJudges(
    list.map((gate) => ({ ...ORDINARY, trust: [issuer.url], ...gate })),
    options,
  )
  const gates = createGates(judges, options)
  const ports = new Map<number, number>()
  for (const { port = 0, ...listener } of gates) {
    const listening = await listenHttp({ host: '127.0.0.1', port: 0, ...listener, headers: [] })
    t.teardown(() => listening.close(0))
    ports.set(port, listening.port)
  }
  return ports
}

/** A gate before a service of its own. */
export async function startGate(t: ExecutionContext, options: Partial<GateOptions> = {}, answer?: RequestListener) {
  const { service, reached, upstream } = await startService(t, answer)
  const events = createEvents()
  const seen = recordEvents(events)
  const port = (await listenGates(t, [{ upstream, ...options }], { events })).get(options.port ?? 0) ?? 0
  return {
    port,
    service,
    reached,
    decisions: () => seen.filter((event): event is GateEvent => event.type === 'gate'),
    cuts: () => seen.filter((event): event is CutEvent => event.type === 'cut'),
    notices: () => seen.filter((event): event is NoticeEvent => event.type === 'notice'),
    send: (headers: readonly string[] = [], request: Request = {}) => send(port, headers, request),
  }
}

interface Request {
  method?: string
  path?: string
  body?: string | Buffer
}

/** `headers`: alternating names and values, so that one name may come twice. */
export async function send(
  port: number,
  headers: readonly string[],
  { method, path, body }: Request = {},
): Promise<Answer> {
  const names = headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  const all = [...headers, ...(names.includes('host') ? [] : ['Host', 'ledger'])]
  if (body !== undefined) all.push('Content-Length', String(Buffer.byteLength(body)))
  const req = http.request({
    port,
    host: '127.0.0.1',
    method: method ?? 'GET',
    path: path ?? '/',
    headers: all,
    agent: false,
  })
  req.end(body)
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  return { status: res.statusCode ?? 0, headers: res.headers, body: await text(res) }
}

/** Writes bytes to the gate as they are and answers all that comes back until it closes; `end` says that no more come. */
export async function sendRaw(port: number, bytes: string, { end = false } = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let received = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk
  })
  socket.write(bytes, 'latin1')
  if (end) socket.end()
  socket.on('end', () => socket.end())
  await new Promise((closed) => socket.on('close', closed))
  return received
}
