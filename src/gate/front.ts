/** The gates of a metadata server. */

import type { Doors } from '../http/ports.ts'
import type { GatesOptions } from './hosts.ts'
import { type FrontSettings, frontedGates, type GateOptions } from './options.ts'
import type { OwnIssuer } from './own-issuer.ts'

export interface FrontOptions extends Omit<GatesOptions, 'own'> {
  settings: FrontSettings & { readonly host: string; readonly issuer?: string | undefined }
  /** The keys of the server's own issuer, where it signs tokens itself. */
  keys: OwnIssuer['keys'] | undefined
}

export interface Front {
  gates: readonly GateOptions[]
  doors: Doors
}

/** Once the server's URL is known, which may be its issuer. Throws SETTINGS_INVALID for policies that cannot be used. */
export async function createFront(url: string, { settings, keys, ...shared }: FrontOptions): Promise<Front> {
  const own = keys && { issuer: settings.issuer ?? url, keys }
  const gates = frontedGates(settings, own?.issuer)
  if (gates.length === 0) return { gates, doors: new Map() }
  // Imported here because it brings the proxy library, which a server without gates does not need.
  const { createGateDoors } = await import('./server.ts')
  const place = { host: settings.host, port: settings.gatePort, setting: '--gate-port' }
  return { gates, doors: await createGateDoors(gates, place, { ...shared, own }) }
}
