/** Where this machine's names come from: DNS, and its own interfaces. */

import { Resolver } from 'node:dns/promises'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { CallersOptions } from './callers.ts'

/**
 * Docker's DNS answers within a millisecond, but a busy process may read the answer only after its own timer; then the
 * next try succeeds. For an address that it does not know Docker may ask outside, where nobody answers.
 */
const PATIENCE = { timeout: 250, tries: 3 }

/** `server` is host and port; default: the system's own. */
export function createSystemNames(server?: string): CallersOptions {
  const resolver = new Resolver(PATIENCE)
  if (server !== undefined) resolver.setServers([server])
  return {
    /** A PTR query: a host look-up would answer our own address from /etc/hosts, without the network's name. */
    reverse: (address) =>
      isIPv4(address)
        ? resolver.resolvePtr(`${address.split('.').reverse().join('.')}.in-addr.arpa`)
        : resolver.reverse(address),
    ownAddresses: () =>
      Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .flatMap(({ address, cidr, internal }) => (internal || cidr === null ? [] : [{ address, cidr }])),
  }
}
