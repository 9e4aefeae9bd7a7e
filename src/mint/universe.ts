/** Google's own cloud, and those that partners run with the same APIs under their own domains (docs/minting.md, "Universes"). */

import { invalid } from '../config/layers.ts'
import { failure } from '../core/errors.ts'

export const DEFAULT_UNIVERSE = 'googleapis.com'

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
/** Its last label begins with a letter, so it is not an address. */
const DOMAIN = new RegExp(`^(?=.{1,200}$)(?:${LABEL}\\.)+(?=[a-z])${LABEL}$`)

/** Whether the text is a domain that host names can be put before. */
export function isUniverse(domain: string): boolean {
  return DOMAIN.test(domain)
}

/**
 * The universe of credentials: the one that their file names, else GOOGLE_CLOUD_UNIVERSE_DOMAIN, else Google's own.
 * Throws UNIVERSE_MISMATCH where file and variable name two, as Google's client libraries do (google-gax 5): a
 * credential must not be sent to another universe than its own. Throws SETTINGS_INVALID where the variable is no domain.
 */
export function universeOf(named: string | undefined, env: NodeJS.ProcessEnv): string {
  const variable = env.GOOGLE_CLOUD_UNIVERSE_DOMAIN || undefined
  if (variable !== undefined && !isUniverse(variable)) {
    throw invalid(['GOOGLE_CLOUD_UNIVERSE_DOMAIN: must be a domain name, as googleapis.com is one'])
  }
  if (named !== undefined && variable !== undefined && named !== variable) {
    throw failure('UNIVERSE_MISMATCH', { credentials: named, variable })
  }
  return named ?? variable ?? DEFAULT_UNIVERSE
}
