/** Which identity answers a request. */

import type { Inbound } from '../http/target.ts'
import type { Callers } from '../identity/callers.ts'
import type { Identities } from '../identity/identities.ts'
import type { Identity } from '../identity/identity.ts'
import type { IdentifiedCaller } from './token-request.ts'

export type Identify = (inbound: Inbound) => IdentifiedCaller | Promise<IdentifiedCaller>

/** Which port is whose. */
export interface Places {
  /** Of identities that have a port of their own. */
  byPort: ReadonlyMap<number | undefined, Identity>
  /** The port that is everybody's; undefined until it is known. */
  own: number | undefined
}

/** Finds a request's caller and identity. Waits for the caller's name only where an identity is bound to names. */
export function createIdentify({ find, needNames }: Identities, callers: Callers, places: Places): Identify {
  return ({ socket, host }) => {
    const caller = callers.of(socket)
    const identified = () => {
      const port = socket.localPort
      const listener = places.byPort.get(port)
      // What came by a port that the settings before gave to an identity, and is looked at again, is nobody's.
      const isLeft = listener === undefined && places.own !== undefined && port !== places.own
      return { caller, identity: isLeft ? undefined : find({ caller, host, listener }) }
    }
    return needNames && caller.naming !== undefined ? caller.naming.then(identified) : identified()
  }
}
