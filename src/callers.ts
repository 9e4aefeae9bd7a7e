/**
 * Who is at the other end of a connection. The address is what counts; its name is looked up once per TCP connection
 * and kept no longer, since a compose restart swaps two services' addresses within a second.
 */

import { BlockList, isIP, isIPv4, type Socket } from 'node:net'
import { type ComposeName, readName } from './compose-names.ts'

export interface Caller {
  address: string
  /** Absent on the host, and where nobody names the address. */
  name?: ComposeName
  /** For people: the service, the container or the address. */
  label: string
}

/** Docker's DNS answers within a millisecond; an address that it does not know may be asked for outside. */
export const LOOKUP_TIMEOUT_MS = 500

export interface CallersOptions {
  /** The names that DNS gives an address. Throws or answers none where it has none. */
  reverse: (address: string) => Promise<readonly string[]>
  /** Our own addresses, each with its network in CIDR notation. */
  ownAddresses: () => readonly { address: string; cidr: string }[]
}

export interface Callers {
  /** Known at once for loopback, and for every later request of a connection. */
  of(socket: Socket): Caller | Promise<Caller>
}

export function createCallers({ reverse, ownAddresses }: CallersOptions): Callers {
  const known = new WeakMap<Socket, Caller | Promise<Caller>>()

  async function lookUp(address: string): Promise<Caller> {
    const [name, ownName] = await Promise.all([nameOf(address), nameOf(ownAddressNear(address))])
    if (name === undefined) return { address, label: address }
    const read = readName(name, ownName)
    return { address, name: read, label: read.service ?? read.container }
  }

  async function nameOf(address: string | undefined): Promise<string | undefined> {
    if (address === undefined) return undefined
    const names = await reverse(address).catch(() => [])
    return names[0]
  }

  function ownAddressNear(address: string): string | undefined {
    return ownAddresses().find(({ cidr }) => createRange([cidr])(address))?.address
  }

  return {
    of(socket) {
      const before = known.get(socket)
      if (before !== undefined) return before
      const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
      if (isLoopback(address)) return { address, label: address }
      const asking = lookUp(address)
      known.set(socket, asking)
      asking.then((caller) => known.set(socket, caller))
      return asking
    },
  }
}

/** Whether an address lies in one of the ranges; a bare address is a range of one. */
export function createRange(cidrs: readonly string[]): (address: string) => boolean {
  const ranges = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/')
    const family = isIPv4(network) ? 'ipv4' : 'ipv6'
    ranges.addSubnet(network, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family)
  }
  return (address) => isIP(address) !== 0 && ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** Whether a text is an address or a range of them. */
export function isCidr(text: string): boolean {
  const [network = '', bits, ...more] = text.split('/')
  const most = isIPv4(network) ? 32 : 128
  return isIP(network) !== 0 && more.length === 0 && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= most))
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
