/** Where a server listens: for everybody, and on the ports that identities have of their own. */

import type { RequestListener } from 'node:http'
import { reachable } from '../core/host.ts'
import { type Listener, listen } from '../http/listener.ts'
import { HEADERS } from '../http/wire.ts'
import type { Identity } from './identity.ts'

type Closable = Pick<Listener, 'close'>

export interface PortsOptions<Before extends Closable, After extends Closable> {
  host: string
  /** Everybody's. */
  port: number
  handler: RequestListener
  identities: readonly Identity[]
  /** Each identity's own port is entered here. */
  byPort: Map<number, Identity>
  /** Opened before the rest: whoever waits until the server answers finds it. */
  openBefore: () => Promise<Before>
  /** Opened once the server's URL is known. */
  openAfter: (url: string) => Promise<After>
}

export interface Ports<Before, After> extends Closable {
  /** As this host reaches everybody's listener, without a final slash. */
  url: string
  before: Before
  after: After
}

/** What was opened is closed again where something cannot be. Throws PORT_TAKEN and ADDRESS_UNAVAILABLE. */
export async function openPorts<Before extends Closable, After extends Closable>(
  options: PortsOptions<Before, After>,
): Promise<Ports<Before, After>> {
  const { host, handler, identities, byPort } = options
  const open: Closable[] = []
  const opened = <T extends Closable>(one: T): T => {
    open.push(one)
    return one
  }
  const openPort = async (port: number) => opened(await listen({ host, port, handler, headers: HEADERS })).port
  const close: Closable['close'] = async (graceMs, lastCall) => {
    await Promise.all(open.map((one) => one.close(graceMs, lastCall)))
  }
  try {
    const before = opened(await options.openBefore())
    const url = `http://${reachable(host)}:${await openPort(options.port)}`
    for (const identity of identities) {
      if (identity.port !== undefined) byPort.set(await openPort(identity.port), identity)
    }
    return { url, before, after: opened(await options.openAfter(url)), close }
  } catch (error) {
    await close(0)
    throw error
  }
}
