/** The identities that the settings name, and the default one. */

import { isDefault } from '../config/identity-checks.ts'
import type { Settings } from '../config/settings.ts'
import { INHERITED, inheritedChain } from '../config/standard.ts'
import { hostName } from '../core/host.ts'
import type { CachedSource } from '../mint/cache.ts'

export interface Identity {
  /** Its email; undefined where it is unknown until it is used, as a user's is. */
  email: string | undefined
  /** The account of its tokens; undefined: the credential's own, whichever that is when the token is minted. */
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
  /** True where nothing names the default identity: it is then the credential's own account. */
  needsDefault: boolean
}

/**
 * gcloud's variable is often inherited unnoticed, so it counts only where neither a flag nor the file names the
 * identities.
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
    ? `${INHERITED} is set and not used: the file names the identities`
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

/** The default identity where nothing names one: the credential's own account. */
export function createOwnIdentity(email: string | undefined, tokens: CachedSource): Identity {
  const accounts = email === undefined ? [] : [email]
  return { email, principal: undefined, accounts, tokens, callers: [], hosts: [], isDefault: true }
}
