/** The gates of a metadata server. */

import type { GatesOptions } from './hosts.ts'
import { type FrontSettings, frontedGates } from './options.ts'
import type { OwnIssuer } from './own-issuer.ts'
import type { OpenGates } from './server.ts'

export const NO_GATES: OpenGates = { gates: [], urls: [], close: async () => {} }

export interface FrontOptions extends Omit<GatesOptions, 'own'> {
  settings: FrontSettings & { readonly host: string; readonly issuer?: string | undefined }
  /** The keys of the server's own issuer, where it signs tokens itself. */
  keys: OwnIssuer['keys'] | undefined
}

/** Opens them once the server's URL is known, which may be its issuer. Throws as `openGates` does. */
export async function openFront(url: string, { settings, keys, ...shared }: FrontOptions): Promise<OpenGates> {
  const own = keys && { issuer: settings.issuer ?? url, keys }
  const gates = frontedGates(settings, own?.issuer)
  if (gates.length === 0) return NO_GATES
  // Imported here because it brings the proxy library, which a server without gates does not need.
  const { openGates } = await import('./server.ts')
  const place = { host: settings.host, port: settings.gatePort, setting: '--gate-port' }
  return openGates(gates, place, { ...shared, own })
}
