/** The connections of a soak's clients: kept ones, and those that are broken off. */

import { Agent, type IncomingHttpHeaders, type RequestOptions, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { FLAVOR } from '../http-client.ts'
import type { Caller } from './subject.ts'

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

export type Client = ReturnType<typeof createClient>

export function createClient() {
  const agents = new Map<string, Agent>()

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

  /** Asks on a connection of its own, and breaks that off after some time, whatever came. */
  async function leaveAfter({ address, host, port }: Caller, path: string, ms: number, sent = 1): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, localAddress: address }).on('error', () => {})
    const bytes = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nMetadata-Flavor: Google\r\n\r\n`
    socket.resume().write(bytes.slice(0, Math.ceil(bytes.length * sent)))
    await sleep(ms)
    socket.destroy()
  }

  return {
    agentOf,
    ask,
    askAs,
    leaveAfter,
    leave() {
      for (const agent of agents.values()) agent.destroy()
      agents.clear()
    },
  }
}
