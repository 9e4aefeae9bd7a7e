/** The source that the settings choose, with the cache around it. */

import type { Settings } from '../config/settings.ts'
import { createNotice, type Events } from '../core/events.ts'
import { createSigningKeys, type SigningKeys } from '../issuer/keys.ts'
import { createLocalSource, type LocalSource } from '../issuer/local.ts'
import { emailOf } from '../mint/adc.ts'
import type { Bounds } from '../mint/bounded.ts'
import { type CachedSource, type CacheOptions, createCache } from '../mint/cache.ts'
import { type Choice, chooseSource } from '../mint/choose.ts'
import { type Credentials, createCredentials, type ReadAdc } from '../mint/credentials.ts'
import { createGoogleSource, type GoogleSource, type LoadMinter } from '../mint/google.ts'
import { createMetadataSource } from '../mint/metadata-server.ts'

export interface MintingOptions {
  settings: Settings
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** The `iss` claim; asked at each mint. */
  issuer: () => string
  events: Events
  /** Epoch ms. */
  now: () => number
  /** The delegation chain to a principal. */
  delegatesOf: (principal: string) => readonly string[]
  /** Called once there are other credentials. */
  onChange: () => void
  /** Called with the minter's clock, epoch ms. */
  onDate: (epochMs: number) => void
  bounds?: Bounds
  /** What reads the credential file. Default: the disk. */
  readAdc?: ReadAdc
  /** What makes the minter of Google credentials. Default: the one that asks Google. */
  loadMinter?: LoadMinter
  /** How the cache waits. Default: a timer. */
  wait?: CacheOptions['wait']
  /** Ms of a clock that nobody sets. Default: the process's. */
  elapsed?: CacheOptions['elapsed']
}

export interface LocalIssuer {
  keys: SigningKeys
  source: LocalSource
}

export interface Minting {
  choice: Choice
  tokens: CachedSource
  /** The email of the credential's own account, as far as it is known now. */
  ownEmail(): string | undefined
  /** Only with the google source. */
  credentials: Credentials | undefined
  /** The local issuer's keys and signer, where it mints. */
  local: LocalIssuer | undefined
  /** As `GoogleSource.warm`; nothing with another source. */
  warm: GoogleSource['warm']
}

const nothing = async () => {}

/**
 * Throws where a key file is unusable. Without a key file the key is made meanwhile. Broken credentials do not stop the
 * start: the banner and every mint report them, since a login may repair them while the server runs.
 */
export async function createMinting(options: MintingOptions): Promise<Minting> {
  const { settings, env, now, events, onChange, readAdc } = options
  const choice = chooseSource(settings, env)
  const cached = { ...options, onMint: events.record }
  switch (choice.name) {
    case 'local': {
      const local = await createLocal(options)
      const tokens = createCache({ ...cached, source: local.source })
      return { choice, tokens, ownEmail: () => undefined, credentials: undefined, local, warm: nothing }
    }
    case 'metadata': {
      const source = createMetadataSource({ ...options, host: choice.host })
      const email = await source.email()
      const tokens = createCache({ ...cached, source })
      return { choice, tokens, ownEmail: () => email, credentials: undefined, local: undefined, warm: nothing }
    }
    case 'google': {
      const credentials = createCredentials(
        env,
        now,
        () => {
          tokens.clear()
          onChange()
        },
        readAdc,
      )
      const source = createGoogleSource({ ...options, credentials })
      const tokens = createCache({ ...cached, source, look: credentials.look })
      await credentials.look()
      const ownEmail = () => {
        const adc = credentials.adc()
        return adc && emailOf(adc.credential)
      }
      return { choice, tokens, ownEmail, credentials, local: undefined, warm: source.warm }
    }
  }
}

async function createLocal(options: MintingOptions): Promise<LocalIssuer> {
  const notice = createNotice(options.events, options.now)
  const warn = (text: string) => notice('warn', 'KEY_FILE_MODE', text)
  const keys = createSigningKeys({ ...options, warn })
  if (options.settings.keyFile !== undefined) await keys.signing()
  return { keys, source: createLocalSource({ ...options, keys }) }
}
