/** The identities that the settings name, and the default one. */

import { isDefault } from '../config/identity-checks.ts'
import type { Settings } from '../config/settings.ts'
import { INHERITED, inheritedChain } from '../config/standard.ts'
import { hostName } from '../core/host.ts'
import type { CachedSource } from '../mint/cache.ts'

export interface Identity {
  /** Its email; undefined where nobody knows it before it is used: a user's is in no file. */
  email: string | undefined
  /** Whom its tokens speak for; undefined: the credential itself, whoever that is when the token is minted. */
  principal: string | undefined
  /** Every account that it may name by path, its own first. */
  accounts: readonly string[]
  tokens: CachedSource
  /** Compose services, containers or CIDRs, as set; empty: it is not bound to callers. */
  callers: readonly string[]
  hosts: readonly string[]
  /** A listener that always means this identity; 0 takes a free port. */
  port?: number
  isDefault: boolean
}

/** The identity in a few words, for people. */
export function identityLabel({ email }: Pick<Identity, 'email'>): string {
  return email ?? "the credential's own account"
}

type NamedIdentity = Settings['identities'][number]

export interface NamedIdentities {
  named: readonly NamedIdentity[]
  /** Whether nothing names the default identity, so that it is whoever mints. */
  needsDefault: boolean
}

/**
 * gcloud's variable is often inherited without a thought, so it counts only where neither a flag nor the file says
 * who is who.
 */
export function listNamed(settings: Settings, env: NodeJS.ProcessEnv): NamedIdentities {
  const { identities } = settings
  const chain = namedChain(settings) ?? (identities.length > 0 ? undefined : inheritedChain(env))
  const serviceAccount = chain?.at(-1)
  if (chain === undefined || serviceAccount === undefined) {
    return { named: identities, needsDefault: identities.length === 0 }
  }
  const named = { serviceAccount, delegates: chain.slice(0, -1), callers: [], hosts: [], accounts: [] }
  return { named: [...identities, named], needsDefault: false }
}

function namedChain({ serviceAccount, impersonateServiceAccount }: Settings): readonly string[] | undefined {
  return impersonateServiceAccount ?? (serviceAccount === undefined ? undefined : [serviceAccount])
}

/** Whether gcloud's variable names the default identity, in words; undefined where it is not set. */
export function describeInherited(settings: Settings, env: NodeJS.ProcessEnv): string | undefined {
  if (!env[INHERITED]) return undefined
  if (namedChain(settings) !== undefined) {
    return `${INHERITED} is set and not used: a setting names the default identity`
  }
  return settings.identities.length > 0
    ? `${INHERITED} is set and not used: the file says who is who`
    : `the default identity is the one that ${INHERITED} names`
}

export function createIdentity(named: NamedIdentity, tokens: CachedSource): Identity {
  const { serviceAccount, accounts, callers, hosts, port } = named
  return {
    email: serviceAccount,
    principal: serviceAccount,
    accounts: [...new Set([serviceAccount, ...accounts])],
    tokens,
    callers,
    hosts: hosts.map(hostName),
    isDefault: isDefault(named),
    ...(port === undefined ? {} : { port }),
  }
}

/** Everybody's, where nothing names one: the account of whoever mints. */
export function createOwnIdentity(email: string | undefined, tokens: CachedSource): Identity {
  const accounts = email === undefined ? [] : [email]
  return { email, principal: undefined, accounts, tokens, callers: [], hosts: [], isDefault: true }
}
