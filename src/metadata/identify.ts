/** Which identity answers a request. */

import type { Inbound } from '../http/target.ts'
import type { Callers } from '../identity/callers.ts'
import type { Identities } from '../identity/identities.ts'
import type { Identity } from '../identity/identity.ts'
import type { IdentifiedCaller } from './token-request.ts'

export type Identify = (inbound: Inbound) => IdentifiedCaller | Promise<IdentifiedCaller>

/** Finds a request's caller and identity. Waits for the caller's name only where an identity is bound to names. */
export function createIdentify(
  { find, needNames }: Identities,
  callers: Callers,
  byPort: ReadonlyMap<number, Identity>,
): Identify {
  return ({ socket, host }) => {
    const caller = callers.of(socket)
    const identified = () => ({ caller, identity: find({ caller, host, listener: byPort.get(socket.localPort ?? 0) }) })
    return needNames && caller.naming !== undefined ? caller.naming.then(identified) : identified()
  }
}
