/** What clients do to the server in a soak, each thing with its share, and what they must be answered. */

import { createHash } from 'node:crypto'
import { Agent, type IncomingHttpHeaders, type RequestOptions, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { readClaims } from '../../src/core/token.ts'
import { DEFAULT_ACCOUNT, FLAVOR, V1 } from '../http-client.ts'
import { type Caller, type Echo, GATE_AUDIENCE, SECRET, type Subject } from './subject.ts'

/** Google's clients refuse a token with less left. */
const LEAST_LEFT_MS = 60_000
const AUDIENCES = Array.from({ length: 10 }, (_, at) => `https://service-${at}.example`)
const SCOPES = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/pubsub']
const FAULTY = 'https://faulty.example'
const UPLOAD_BYTES = 256 * 1024

export interface Acts {
  /** One thing that a client does, by chance. Never rejects. */
  act(): Promise<void>
  /** A burst of `count` plain requests, for what the server remembers of the last ones. */
  burst(count: number): Promise<void>
  /** The clients leave: their kept connections end. */
  leave(): void
  /** What was wrong, the first of them in words. */
  wrong: { count: number; first: string[] }
  /** Answers that Google was too late: it never is by itself, but runs on the same machine. */
  tooLate(): number
  /** How often each thing was done. */
  done: Record<string, number>
  /** Tokens whose owner, audience and end were looked at. */
  checked(): number
  /** Ms that a request for a token took whose audience is asked for all the time. */
  tookMs: number[]
}

interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

export function createActs({ callers, port, gatePort, google }: Subject, random: () => number): Acts {
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const agents = new Map<string, Agent>()
  const wrong: Acts['wrong'] = { count: 0, first: [] }
  const done: Record<string, number> = {}
  const tookMs: number[] = []
  let checked = 0
  let tooLate = 0
  let fresh = 0

  function complain(what: string): void {
    if (what.includes('UPSTREAM_TIMEOUT')) {
      tooLate += 1
      return
    }
    wrong.count += 1
    if (wrong.first.length < 20) wrong.first.push(what.replace(/<[^>]*>|\s+/g, ' ').slice(0, 400))
  }

  function agentOf(address: string): Agent {
    const agent = agents.get(address) ?? new Agent({ keepAlive: true, maxSockets: 64, localAddress: address })
    agents.set(address, agent)
    return agent
  }

  /** A kept connection that the server closes while a request is on its way is opened anew, as clients do. */
  async function ask(options: RequestOptions, body?: Buffer): Promise<Reply> {
    const asked = request({ hostname: '127.0.0.1', ...options })
    try {
      return await new Promise<Reply>((resolve, reject) => {
        asked.on('error', reject).on('response', (response) => {
          const { statusCode: status = 0, headers } = response
          text(response).then((body) => resolve({ status, headers, body }), reject)
        })
        asked.end(body)
      })
    } catch (error) {
      if (asked.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') return ask(options, body)
      throw error
    }
  }

  const askAs = ({ address, host, port }: Caller, path: string, headers: Record<string, string> = FLAVOR) =>
    ask({ port, path, agent: agentOf(address), headers: { ...headers, Host: host } })

  async function idToken(caller: Caller, audience: string, format = 'full'): Promise<string | undefined> {
    const path = `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(audience)}&format=${format}`
    const { status, body } = await askAs(caller, path)
    if (status !== 200) {
      complain(`${status} for ${audience}: ${body.slice(0, 300)}`)
      return undefined
    }
    checkIdToken(caller, audience, format, body)
    return body
  }

  function checkIdToken({ accounts }: Caller, audience: string, format: string, token: string): void {
    checked += 1
    const { aud, email, exp } = readClaims(token) ?? {}
    if (aud !== audience) complain(`a token for ${aud} was answered for ${audience}`)
    if (format === 'full' ? !accounts().includes(String(email)) : email !== undefined) {
      complain(`a token of ${email} was answered to ${accounts().join(' or ')} (${format})`)
    }
    if (Number(exp) * 1000 - Date.now() < LEAST_LEFT_MS) complain(`a token that ends at ${exp} was answered`)
  }

  async function accessToken(caller: Caller): Promise<void> {
    const scope = one(SCOPES)
    const { status, body } = await askAs(caller, `${DEFAULT_ACCOUNT}/token?scopes=${encodeURIComponent(scope)}`)
    if (status !== 200) return complain(`${status} for an access token: ${body.slice(0, 300)}`)
    const { access_token: token, expires_in: seconds } = JSON.parse(body)
    const known = google.accessToken(token)
    checked += 1
    if (known === undefined || !caller.accounts().includes(known.principal) || !known.scopes.includes(scope)) {
      complain(`an access token of ${known?.principal} for ${known?.scopes} was answered to ${caller.accounts()}`)
    }
    if (!(seconds * 1000 >= LEAST_LEFT_MS)) complain(`an access token with ${seconds} s left was answered`)
  }

  async function refused(): Promise<void> {
    const caller = one(callers)
    const path = `${DEFAULT_ACCOUNT}/identity?audience=${one(AUDIENCES)}`
    const [headers, host] = one<[Record<string, string>, string]>([
      [{}, caller.host],
      [{ ...FLAVOR, 'X-Forwarded-For': '10.0.0.9' }, caller.host],
      [FLAVOR, 'evil.example'],
    ])
    const { status } = await askAs({ ...caller, host }, path, headers)
    if (status !== 403) complain(`${status} for what must be refused: ${JSON.stringify(headers)} ${host}`)
  }

  async function waitForChange(): Promise<void> {
    const path = `${V1}/instance/attributes/turn?wait_for_change=true&timeout_sec=${1 + Math.floor(random() * 4)}`
    const caller = one(callers)
    if (random() < 0.5) return leaveAfter(caller, path, random() * 2_000)
    const { status, body } = await askAs(caller, path)
    if (status !== 200 || !/^\d+$/.test(body)) complain(`${status} for a value that was waited for: ${body}`)
  }

  /** Asks on a connection of its own, and breaks that off after some time, whatever came. */
  async function leaveAfter({ address, host, port }: Caller, path: string, ms: number, sent = 1): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, localAddress: address }).on('error', () => {})
    const bytes = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nMetadata-Flavor: Google\r\n\r\n`
    socket.resume().write(bytes.slice(0, Math.ceil(bytes.length * sent)))
    await sleep(ms)
    socket.destroy()
  }

  async function callGate(body?: Buffer): Promise<void> {
    const caller = one(callers.slice(0, 4))
    const audience = random() < 0.1 ? 'http://other:8080' : GATE_AUDIENCE
    const token = random() < 0.1 ? undefined : await idToken(caller, audience)
    const headers = { Host: 'billing', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) }
    const method = body === undefined ? 'GET' : 'POST'
    const reply = await ask({ port: gatePort, path: '/', method, agent: agentOf(caller.address), headers }, body)
    const expected = token === undefined ? 403 : audience === GATE_AUDIENCE ? caller.gateStatus : 401
    if (reply.status !== expected)
      return complain(`the gate answered ${reply.status} and not ${expected}: ${reply.body}`)
    if (expected !== 200) return
    const { email, bytes, sha256 } = JSON.parse(reply.body) as Echo
    if (!caller.accounts().includes(String(email))) complain(`the service saw ${email}, not ${caller.accounts()}`)
    const sent = body ?? Buffer.alloc(0)
    if (bytes !== sent.length || sha256 !== createHash('sha256').update(sent).digest('hex')) {
      complain(`of an upload of ${sent.length} bytes the service saw ${bytes}, or others`)
    }
  }

  async function upload(): Promise<void> {
    const body = Buffer.alloc(UPLOAD_BYTES, String(random()))
    if (random() < 0.67) return callGate(body)
    const caller = callers[0] as Caller
    const token = await idToken(caller, GATE_AUDIENCE)
    const socket = connect({ host: '127.0.0.1', port: gatePort, localAddress: caller.address }).on('error', () => {})
    const head = `POST / HTTP/1.1\r\nHost: billing\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n\r\n`
    socket.resume().write(head)
    socket.write(body.subarray(0, UPLOAD_BYTES / 2))
    await sleep(random() * 200)
    socket.destroy()
  }

  async function page(): Promise<void> {
    if (random() < 0.5) return leaveAfter(callers.at(-1) as Caller, '/_sidemint/events', random() * 4_000)
    const path = `/_sidemint/${one(['', 'requests', 'state', 'grants', 'metrics'])}`
    const { status } = await ask({ port, path, agent: agentOf('127.0.0.1') })
    if (status !== 200) complain(`${status} for ${path}`)
  }

  /** The order of another client may take the place of this one: some of its requests fail, and none but its own. */
  async function orderFault(): Promise<void> {
    const order = { status: one([403, 429, 503]), times: 2, audience: `${FAULTY}/*`, drop: random() < 0.3 }
    const body = Buffer.from(JSON.stringify(order))
    const headers = { Authorization: `Bearer ${SECRET}`, 'Content-Length': body.length }
    const path = '/_sidemint/control/fail-next'
    const { status } = await ask({ port, path, method: 'POST', headers, agent: agentOf('127.0.0.1') }, body)
    if (status !== 200) complain(`${status} for an order`)
    for (let times = 0; times < 3; times += 1) {
      const path = `${DEFAULT_ACCOUNT}/identity?audience=${FAULTY}/${times}`
      const headers = { ...FLAVOR, Host: 'localhost' }
      const reply = await ask({ port, path, agent: false, headers }).catch(() => undefined)
      if (reply !== undefined && reply.status !== 200 && !reply.body.includes('INJECTED')) {
        complain(`${reply.status} where only an ordered fault was possible: ${reply.body}`)
      }
    }
  }

  async function hit(): Promise<void> {
    const startedAt = performance.now()
    if (random() < 0.25) await accessToken(one(callers))
    else await idToken(one(callers), one(AUDIENCES), random() < 0.5 ? 'full' : 'standard')
    tookMs.push(performance.now() - startedAt)
  }

  function newAudience(): Promise<unknown> {
    fresh += 1
    return idToken(one(callers), `https://new-${fresh}.example/?a=1&b=${fresh}`)
  }

  const KINDS: readonly [string, number, () => Promise<unknown>][] = [
    ['tokens of known audiences', 0.72, hit],
    ['tokens of new audiences', 0.02, newAudience],
    ['requests that must be refused', 0.05, refused],
    ['waits for a change', 0.03, waitForChange],
    ['calls through the gate', 0.1, () => callGate()],
    ['uploads through the gate', 0.02, upload],
    ['pages and event streams', 0.02, page],
    [
      'connections broken off',
      0.03,
      () => leaveAfter(one(callers), `${DEFAULT_ACCOUNT}/token`, random() * 20, random()),
    ],
    ['ordered faults', 0.01, orderFault],
  ]

  async function attempt(name: string, work: () => Promise<unknown>): Promise<void> {
    done[name] = (done[name] ?? 0) + 1
    try {
      await work()
    } catch (error) {
      complain(`${name}: ${(error as Error).message}`)
    }
  }

  return {
    wrong,
    done,
    tookMs,
    checked: () => checked,
    tooLate: () => tooLate,
    act() {
      let chance = random()
      const kind = KINDS.find(([, share]) => {
        chance -= share
        return chance < 0
      })
      const [name, , work] = kind ?? (KINDS[0] as (typeof KINDS)[number])
      return attempt(name, work)
    },
    async burst(count) {
      const line = async () => {
        for (let left = count / 16; left > 0; left -= 1)
          await attempt('tokens of the burst', () => idToken(one(callers), AUDIENCES[0] as string))
      }
      await Promise.all(Array.from({ length: 16 }, line))
    },
    leave() {
      for (const agent of agents.values()) agent.destroy()
      agents.clear()
    },
  }
}
