/** Which identity a request gets. */

import { createRange, isCidr } from '../core/cidr.ts'
import { hostName } from '../core/host.ts'
import type { Caller } from './callers.ts'
import { isContainerOf } from './compose-names.ts'
import type { Identity } from './identity.ts'

/** What a request says about who sent it. */
export interface Sender {
  caller: Caller
  /** The Host header. */
  host: string
  /** The identity whose own listener was asked. */
  listener: Identity | undefined
}

export type FindIdentity = (sender: Sender) => Identity | undefined

/**
 * The address of a TCP connection is trusted, and its name in Docker's DNS. The Host header is not: any caller can choose
 * it, so it never gives an identity that is bound to callers. A caller of one identity does not get another's, whichever
 * listener it asks.
 */
export function createFinder(all: readonly Identity[]): FindIdentity {
  const bound = all
    .filter(({ callers }) => callers.length > 0)
    .map((identity) => ({ identity, admits: createMatcher(identity.callers) }))
  const byHost = new Map(
    all
      .filter(({ callers }) => callers.length === 0)
      .flatMap((identity) => identity.hosts.map((host) => [host, identity] as const)),
  )
  const everybodyElse = all.find((identity) => identity.isDefault)
  return ({ caller, host, listener }) => {
    const own = bound.find(({ admits }) => admits(caller))?.identity
    if (listener !== undefined) return own === undefined || own === listener ? listener : undefined
    return own ?? (byHost.size > 0 ? byHost.get(hostName(host)) : undefined) ?? everybodyElse
  }
}

/**
 * All accounts that the caller of a label may have; undefined where no identity names it. Its address, and its container
 * where the label is its service, may bind it to another identity.
 */
export function accountsOf(all: readonly Identity[], label: string): string[] | undefined {
  if (!all.some(({ callers }) => callers.includes(label))) return undefined
  return all
    .filter(({ callers }) => callers.some((one) => one === label || isCidr(one) || isContainerOf(one, label)))
    .flatMap(({ accounts }) => accounts)
}

function createMatcher(callers: readonly string[]): (caller: Caller) => boolean {
  const inRange = createRange(callers.filter(isCidr))
  const names = new Set(callers.filter((caller) => !isCidr(caller)))
  return ({ address, name }) =>
    inRange(address) || (name !== undefined && (names.has(name.container) || names.has(name.service ?? name.container)))
}
