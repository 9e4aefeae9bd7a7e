/**
 * Who is asking and what they get: the one place where identities are made from settings and where it is decided who
 * mints. Nobody asks which kind of credential an identity has while a request waits.
 */

import { type CachedSource, createCache } from './cache.ts'
import { type Caller, createRange, isCidr } from './callers.ts'
import type { Events } from './events.ts'
import { hostName } from './host.ts'
import { isDefault } from './identity-checks.ts'
import { generateSigningKey, loadSigningKey, type SigningKey } from './keys.ts'
import type { Settings } from './settings.ts'
import { createLocalSource, type LocalSource } from './sources/local.ts'
import type { TokenSource } from './token.ts'

export interface Identity {
  /** The default account's email: the principal of its tokens. */
  email: string
  /** Every account that it may name by path, its own first. */
  accounts: readonly string[]
  tokens: TokenSource
  /** Compose services, containers or CIDRs, as set; empty: it is not bound to callers. */
  callers: readonly string[]
  hosts: readonly string[]
  /** A listener that always means this identity; 0 takes a free port. */
  port?: number
  isDefault: boolean
}

/** What tells an asker. */
export interface Asking {
  caller: Caller
  /** The Host header. */
  host: string
  /** The identity whose own listener was asked. */
  listener: Identity | undefined
}

export interface Identities {
  /** Who mints, and why this one. */
  source: { name: 'local'; why: string }
  all: readonly Identity[]
  /** The default identity, else the first. */
  primary: Identity
  /** Whether a caller's name must be known before `find`. */
  needNames: boolean
  find(asking: Asking): Identity | undefined
  project: string
  projectNumber: string
  /** The local issuer's key and signer. */
  local: { key: Promise<SigningKey>; source: LocalSource }
  tokens: CachedSource
}

export interface IdentitiesOptions {
  settings: Settings
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** The `iss` claim; asked at each mint. */
  issuer: () => string
  events: Events
  /** Epoch ms. */
  now: () => number
}

/** Shown where nothing names a project, so that gcloud's probe finds digits. */
const NO_PROJECT = 'sidemint-local'
const NO_PROJECT_NUMBER = '123456789012'

/** Throws where a key file is unusable. The key of a server without one is made meanwhile. */
export async function createIdentities({ settings, env, issuer, events, now }: IdentitiesOptions): Promise<Identities> {
  const key = settings.keyFile === undefined ? generateSigningKey() : loadSigningKey(settings.keyFile, warn)
  if (settings.keyFile !== undefined) await key
  const local = createLocalSource({ key, issuer, now })
  const tokens = createCache({ source: local, entries: settings.cacheEntries, now, onMint: events.record })
  const project = settings.project ?? env.GOOGLE_CLOUD_PROJECT ?? NO_PROJECT
  const all: readonly Identity[] = listed(settings, `default@${project}.iam.gserviceaccount.com`).map((entry) =>
    createIdentity(entry, tokens),
  )

  function warn(text: string): void {
    events.record({ type: 'notice', at: now(), level: 'warn', code: 'KEY_FILE_MODE', text })
  }

  return {
    source: { name: 'local', why: settings.source === 'local' ? 'as asked' : 'no Google credentials were found' },
    all,
    primary: all.find((identity) => identity.isDefault) ?? (all[0] as Identity),
    needNames: all.some(({ callers }) => callers.some((caller) => !isCidr(caller))),
    find: createFinder(all),
    project,
    projectNumber: settings.projectNumber ?? NO_PROJECT_NUMBER,
    local: { key, source: local },
    tokens,
  }
}

type Entry = Settings['identities'][number]

/** The file's entries, and the default one where the file has none of its own. */
function listed(
  { identities, serviceAccount, impersonateServiceAccount }: Settings,
  fallback: string,
): readonly Entry[] {
  const named = impersonateServiceAccount?.at(-1) ?? serviceAccount
  if (named === undefined && identities.length > 0) return identities
  const delegates = impersonateServiceAccount?.slice(0, -1) ?? []
  return [...identities, { serviceAccount: named ?? fallback, callers: [], hosts: [], accounts: [], delegates }]
}

function createIdentity(entry: Entry, tokens: TokenSource): Identity {
  const { serviceAccount, accounts, callers, hosts, port } = entry
  return {
    email: serviceAccount,
    accounts: [...new Set([serviceAccount, ...accounts])],
    tokens,
    callers,
    hosts: hosts.map(hostName),
    isDefault: isDefault(entry),
    ...(port === undefined ? {} : { port }),
  }
}

/**
 * Trusted: the address of a TCP connection and what Docker's DNS calls it. Never trusted: the Host header, which any
 * caller can choose, so an identity that is bound to callers is not to be had by it. A caller of one identity does
 * not get another's, whichever listener it asks.
 */
function createFinder(all: readonly Identity[]): Identities['find'] {
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
    return own ?? byHost.get(hostName(host)) ?? everybodyElse
  }
}

function createMatcher(callers: readonly string[]): (caller: Caller) => boolean {
  const inRange = createRange(callers.filter(isCidr))
  const names = new Set(callers.filter((caller) => !isCidr(caller)))
  return ({ address, name }) =>
    inRange(address) || (name !== undefined && (names.has(name.container) || names.has(name.service ?? name.container)))
}
