/** Calls and uploads through the gate in a soak. */

import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Part } from './part.ts'
import { type Caller, type Echo, GATE_AUDIENCE } from './subject.ts'
import type { TokenActs } from './token-acts.ts'

const UPLOAD_BYTES = 256 * 1024

export function createGateActs(
  { callers, gatePort, random, one, complain, agentOf, ask }: Part,
  { idToken }: Pick<TokenActs, 'idToken'>,
) {
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

  return { callGate, upload }
}
