/** Opens the stand-in where the settings ask for it; otherwise none of its code is loaded. */

import { invalid } from '../config/layers.ts'
import type { Settings } from '../config/settings.ts'
import type { Events } from '../core/events.ts'
import type { Listener } from '../http/listener.ts'
import type { Identities } from '../identity/identities.ts'

export interface OpenStandIn {
  /** Undefined where there is no stand-in. */
  port: number | undefined
  close: Listener['close']
}

export interface StandInParts {
  settings: Pick<Settings, 'host' | 'keyFile' | 'standIn' | 'standInPort'>
  identities: Pick<Identities, 'local' | 'source' | 'tokens'>
  /** Those of the settings in force. */
  all: () => Identities['all']
  events: Events
  /** Epoch ms. */
  now: () => number
}

/**
 * Throws SETTINGS_INVALID where the server does not sign its tokens itself: with real credentials Google's own keys
 * verify them. Throws STAND_IN_UNUSABLE, PORT_TAKEN and ADDRESS_UNAVAILABLE too.
 */
export async function openStandIn({ settings, identities, all, ...rest }: StandInParts): Promise<OpenStandIn> {
  const { standIn: directory } = settings
  if (directory === undefined) return { port: undefined, close: async () => {} }
  const { local, source, tokens } = identities
  if (local === undefined) {
    throw invalid([
      `--stand-in: is for the local source, and the source is ${source.name} (${source.why}): Google's own keys verify its tokens; leave it out, or choose --source local`,
    ])
  }
  const { listenAsGoogle } = await import('./server.ts')
  return listenAsGoogle({
    ...rest,
    ...settings,
    directory,
    keys: local.keys,
    tokens,
    identities: all,
  })
}
