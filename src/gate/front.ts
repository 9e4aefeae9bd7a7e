/** The gates of a metadata server. */

import { DEFAULT_URL } from '../core/host.ts'
import type { Doors } from '../http/ports.ts'
import type { GatesOptions } from './hosts.ts'
import type { Judge, JudgesOptions } from './judge.ts'
import { type FrontSettings, frontedGates } from './options.ts'
import type { OwnIssuer } from './own-issuer.ts'

export interface FrontOptions extends GatesOptions {
  settings: FrontSettings & { readonly host: string; readonly issuer?: string | undefined }
  /** The keys of the server's own issuer, where it signs tokens itself. */
  keys: OwnIssuer['keys'] | undefined
  /** Emails of the accounts that the server speaks for. */
  accounts: OwnIssuer['accounts']
  place: Required<JudgesOptions>['place']
  fetched: Required<JudgesOptions>['fetched']
  readFile?: JudgesOptions['readFile']
}

export interface Front {
  judges: readonly Judge[]
  doors: Doors
}

/** Once the server's URL is known, which may be its issuer. Throws SETTINGS_INVALID for policies that cannot be used. */
export async function createFront(url: string, options: FrontOptions): Promise<Front> {
  const { settings, keys, accounts, place, fetched, readFile, ...shared } = options
  const own = keys && { issuer: settings.issuer ?? url, keys, accounts }
  const gates = frontedGates(settings, own?.issuer)
  if (gates.length === 0) return { judges: [], doors: new Map() }
  // Imported here because they bring libraries that a server without gates does not need.
  const [{ createJudges }, { createGateDoors }] = await Promise.all([import('./judge.ts'), import('./server.ts')])
  // In a container the server's own URL is not the one by which the host reaches it, and its issuer is another.
  const server = own?.issuer === url && url !== DEFAULT_URL ? url : undefined
  const judges = await createJudges(gates, { ...shared, own, place, server, fetched, readFile })
  const listening = { host: settings.host, port: settings.gatePort, setting: '--gate-port' }
  return { judges, doors: createGateDoors(judges, listening, shared) }
}
