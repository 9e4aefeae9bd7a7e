/**
 * Who is at the other end of a connection. Its address decides. The name of the address is looked up once for each TCP
 * connection and kept no longer: a Compose restart can swap two services' addresses within a second (docs/wire.md,
 * "Docker's names").
 */

import type { Socket } from 'node:net'
import { createRange } from '../core/cidr.ts'
import { peerAddress } from '../core/host.ts'
import { type ComposeName, readName } from './compose-names.ts'

export interface Caller {
  readonly address: string
  /** Absent on the host, where the address has no name, and during the look-up. */
  name?: ComposeName
  /** Settled when the look-up has ended; absent from then on, and where there is nothing to look up. Never rejects. */
  naming?: Promise<void> | undefined
}

/** For people: the service, the container or the address. */
export function callerLabel({ address, name }: Caller): string {
  return name?.service ?? name?.container ?? address
}

export interface CallersOptions {
  /** The names that DNS has for an address. Rejects, or returns an empty list, where there are none. */
  reverse: (address: string) => Promise<readonly string[]>
  /** Our own addresses, each with its network in CIDR notation. */
  ownAddresses: () => readonly { address: string; cidr: string }[]
}

export interface Callers {
  /** The same one for every request of a connection. */
  of(socket: Socket): Caller
  /** For people: what `callerLabel` says once the name was looked up, a promise until then. Never rejects. */
  labelOf(socket: Socket): string | Promise<string>
}

export function createCallers({ reverse, ownAddresses }: CallersOptions): Callers {
  const known = new WeakMap<Socket, Caller>()

  /**
   * Never rejects: where our own addresses cannot be read (no descriptor is left, or systemd's RestrictAddressFamilies
   * forbids netlink), the caller keeps its address alone.
   */
  async function lookUp(caller: Caller): Promise<void> {
    await findName(caller).catch(() => {})
    caller.naming = undefined
  }

  async function findName(caller: Caller): Promise<void> {
    const isNear = ({ cidr }: { cidr: string }) => createRange([cidr])(caller.address)
    const own = [...ownAddresses()].sort((a, b) => Number(isNear(b)) - Number(isNear(a)))
    const [names, ...ownNames] = await Promise.all([caller, ...own].map(({ address }) => namesOf(address)))
    if (names?.[0] !== undefined) caller.name = readName(names[0], ownNames.flat())
  }

  async function namesOf(address: string): Promise<readonly string[]> {
    return reverse(address).catch(() => [])
  }

  function of(socket: Socket): Caller {
    const before = known.get(socket)
    if (before !== undefined) return before
    const caller: Caller = { address: peerAddress(socket.remoteAddress) }
    if (!isLoopback(caller.address)) caller.naming = lookUp(caller)
    known.set(socket, caller)
    return caller
  }

  return {
    of,
    labelOf(socket) {
      const caller = of(socket)
      return caller.naming === undefined ? callerLabel(caller) : caller.naming.then(() => callerLabel(caller))
    },
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
