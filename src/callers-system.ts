/** Where this machine's names come from: DNS, asked with little patience, and its own interfaces. */

import { Resolver } from 'node:dns/promises'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { CallersOptions } from './callers.ts'

/** Docker's DNS answers within a millisecond; an address that it does not know may be asked for outside. */
const TIMEOUT_MS = 500

const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 })

export const SYSTEM_NAMES: CallersOptions = {
  /** A PTR query, where a host look-up would answer our own address from /etc/hosts, without a name. */
  reverse: (address) =>
    isIPv4(address)
      ? resolver.resolvePtr(`${address.split('.').reverse().join('.')}.in-addr.arpa`)
      : resolver.reverse(address),
  ownAddresses: () =>
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .flatMap(({ address, cidr, internal }) => (internal || cidr === null ? [] : [{ address, cidr }])),
}
