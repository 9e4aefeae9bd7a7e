/** Waiting requests, pages, orders and broken connections in a soak. */

import { DEFAULT_ACCOUNT, FLAVOR, V1 } from '../http-client.ts'
import type { Part } from './part.ts'
import { type Caller, SECRET } from './subject.ts'

const FAULTY = 'https://faulty.example'

export function createOtherActs({ callers, port, random, one, complain, agentOf, ask, askAs, leaveAfter }: Part) {
  async function waitForChange(): Promise<void> {
    const path = `${V1}/instance/attributes/turn?wait_for_change=true&timeout_sec=${1 + Math.floor(random() * 4)}`
    const caller = one(callers)
    if (random() < 0.5) return leaveAfter(caller, path, random() * 2_000)
    const { status, body } = await askAs(caller, path)
    if (status !== 200 || !/^\d+$/.test(body)) complain(`${status} for a value that was waited for: ${body}`)
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

  const breakOff = () => leaveAfter(one(callers), `${DEFAULT_ACCOUNT}/token`, random() * 20, random())

  return { waitForChange, page, orderFault, breakOff }
}
