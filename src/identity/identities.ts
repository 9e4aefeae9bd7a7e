/**
 * Who is asking and what they get: the one place where identities are made from settings and where it is decided who
 * mints. Nobody asks which kind of credential an identity has while a request waits.
 */

import { isDefault } from '../config/identity-checks.ts'
import type { Settings } from '../config/settings.ts'
import { asFailure } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { hostName } from '../core/host.ts'
import { generateSigningKey, loadSigningKey, type SigningKey } from '../issuer/key.ts'
import { createLocalSource, type LocalSource } from '../issuer/local.ts'
import { locateAdc, readAdc } from '../mint/adc.ts'
import type { Bounds } from '../mint/bounded.ts'
import { type CachedSource, createCache } from '../mint/cache.ts'
import { type Choice, chooseSource } from '../mint/choose.ts'
import { createGoogleSource, describeCredential, emailOf } from '../mint/google.ts'
import { createMetadataSource } from '../mint/metadata-server.ts'
import { type Caller, createRange, isCidr } from './callers.ts'

export interface Identity {
  /** The default account's email: the principal of its tokens. */
  email: string
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
  source: Pick<Choice, 'name' | 'why'>
  /** The credentials in a few words; of the google source alone. */
  credentials: string | undefined
  /** Whether gcloud's variable says who is the default, where it is set. */
  inherited: string | undefined
  all: readonly Identity[]
  /** The default identity, else the first. */
  primary: Identity
  /** Whether a caller's name must be known before `find`. */
  needNames: boolean
  find(asking: Asking): Identity | undefined
  project: string
  projectNumber: string
  /** The local issuer's key and signer, where it mints. */
  local: { key: Promise<SigningKey>; source: LocalSource } | undefined
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
  /** Hears that other credentials are there. */
  onChange?: () => void
  /** Hears the clock of whoever mints, epoch ms. */
  onDate?: (epochMs: number) => void
  bounds?: Bounds
}

/** Shown where nothing names a project, so that gcloud's probe finds digits. */
const NO_PROJECT = 'sidemint-local'
const NO_PROJECT_NUMBER = '123456789012'
/** Stands for a credential whose own email nobody knows before it is used: a user's is in no file. */
export const OWN_PRINCIPAL = 'own-credential@sidemint.invalid'

/**
 * Throws where a key file is unusable. The key of a server without one is made meanwhile. Credentials that are broken
 * are told by the banner and by every mint, for a login may mend them while the server runs.
 */
export async function createIdentities(options: IdentitiesOptions): Promise<Identities> {
  const { settings, env, events, now, onChange, onDate = () => {}, bounds } = options
  const choice = chooseSource(settings, env)
  const local = choice.name === 'local' ? await createLocal(options) : undefined
  const adc = choice.name === 'google' ? await readAdc(locateAdc(env)).catch(asFailure) : undefined
  const found = adc === undefined || adc instanceof Error ? undefined : adc
  const project = settings.project ?? env.GOOGLE_CLOUD_PROJECT ?? found?.project ?? found?.quotaProject ?? NO_PROJECT
  const ownPrincipal = (found && emailOf(found.credential)) ?? OWN_PRINCIPAL
  const chains = new Map<string, readonly string[]>()
  const delegatesOf = (principal: string) => chains.get(principal) ?? []
  const common = { env, ownPrincipal, delegatesOf, onDate, now, ...(bounds === undefined ? {} : { bounds }) }
  const machine = choice.name === 'metadata' ? createMetadataSource({ ...common, host: choice.host }) : undefined
  const machineEmail = await machine?.email()
  const fallback = local === undefined ? (machineEmail ?? ownPrincipal) : `default@${project}.iam.gserviceaccount.com`
  const entries = listEntries(settings, env, fallback)
  for (const { serviceAccount, delegates } of entries) chains.set(serviceAccount, delegates)
  const google = createGoogleSource({ ...common, allowUserTokens: settings.allowUserTokens })
  const tokens = createCache({
    source: local?.source ?? machine ?? google,
    entries: settings.cacheEntries,
    now,
    onMint: events.record,
    version: choice.name === 'google' ? google.version : undefined,
    ...(onChange === undefined ? {} : { onChange }),
  })
  const all: readonly Identity[] = entries.map((entry) => createIdentity(entry, tokens))
  return {
    source: choice,
    inherited: describeInherited(settings, env),
    credentials: adc instanceof Error ? `${adc.code}: ${adc.message}` : found && describeCredential(found.credential),
    all,
    primary: all.find((identity) => identity.isDefault) ?? (all[0] as Identity),
    needNames: all.some(({ callers }) => callers.some((caller) => !isCidr(caller))),
    find: createFinder(all),
    project,
    projectNumber: settings.projectNumber ?? NO_PROJECT_NUMBER,
    local,
    tokens,
  }
}

async function createLocal({ settings, issuer, events, now }: IdentitiesOptions) {
  const warn = (text: string) =>
    events.record({ type: 'notice', at: now(), level: 'warn', code: 'KEY_FILE_MODE', text })
  const key = settings.keyFile === undefined ? generateSigningKey() : loadSigningKey(settings.keyFile, warn)
  if (settings.keyFile !== undefined) await key
  return { key, source: createLocalSource({ key, issuer, now }) }
}

type Entry = Settings['identities'][number]

/**
 * The file's entries, and the default one where the file has none of its own. gcloud's variable is often inherited
 * without a thought, so it counts only where neither a flag nor the file says who is who.
 */
function listEntries(settings: Settings, env: NodeJS.ProcessEnv, fallback: string): readonly Entry[] {
  const { identities } = settings
  const chain = namedChain(settings)
  if (chain === undefined && identities.length > 0) return identities
  const inherited = env.CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT?.split(',').map((email) => email.trim())
  const whole = chain ?? (inherited?.[0] ? inherited : [fallback])
  const named = { serviceAccount: whole.at(-1) ?? fallback, delegates: whole.slice(0, -1) }
  return [...identities, { ...named, callers: [], hosts: [], accounts: [] }]
}

function namedChain({ serviceAccount, impersonateServiceAccount }: Settings): readonly string[] | undefined {
  return impersonateServiceAccount ?? (serviceAccount === undefined ? undefined : [serviceAccount])
}

function describeInherited(settings: Settings, env: NodeJS.ProcessEnv): string | undefined {
  const variable = 'CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT'
  if (!env[variable]) return undefined
  if (namedChain(settings) !== undefined) return `${variable} is set and not used: a setting names the default identity`
  return settings.identities.length > 0
    ? `${variable} is set and not used: the file says who is who`
    : `the default identity is the one that ${variable} names`
}

function createIdentity(entry: Entry, tokens: CachedSource): Identity {
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
    return own ?? (byHost.size > 0 ? byHost.get(hostName(host)) : undefined) ?? everybodyElse
  }
}

function createMatcher(callers: readonly string[]): (caller: Caller) => boolean {
  const inRange = createRange(callers.filter(isCidr))
  const names = new Set(callers.filter((caller) => !isCidr(caller)))
  return ({ address, name }) =>
    inRange(address) || (name !== undefined && (names.has(name.container) || names.has(name.service ?? name.container)))
}
