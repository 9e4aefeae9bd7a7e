/**
 * Who can be asked for tokens: the one place where identities are made from settings and where it is decided who
 * mints. Nobody asks which kind of credential an identity has while a request waits.
 */

import { type CachedSource, createCache } from './cache.ts'
import type { Events } from './events.ts'
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
}

/** Whoever sent a request. */
export interface Asker {
  /** A name where one is known, else the address. */
  caller: string
  /** None: the tree is shown without service accounts. */
  identity: Identity | undefined
}

export interface Identities {
  /** Who mints, and why this one. */
  source: { name: 'local'; why: string }
  all: readonly Identity[]
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
  const email = settings.serviceAccount ?? `default@${project}.iam.gserviceaccount.com`

  function warn(text: string): void {
    events.record({ type: 'notice', at: now(), level: 'warn', code: 'KEY_FILE_MODE', text })
  }

  return {
    source: { name: 'local', why: settings.source === 'local' ? 'as asked' : 'no Google credentials were found' },
    all: [{ email, accounts: [email], tokens }],
    project,
    projectNumber: settings.projectNumber ?? NO_PROJECT_NUMBER,
    local: { key, source: local },
    tokens,
  }
}
