/** Google's clouds: its own, and those that partners run under domains of their own with the same APIs. */

import { failure } from '../core/errors.ts'

export const DEFAULT_UNIVERSE = 'googleapis.com'

/**
 * The universe of credentials: the one that their file names, else GOOGLE_CLOUD_UNIVERSE_DOMAIN, else Google's own.
 * Throws UNIVERSE_MISMATCH where file and variable name two, as Google's client libraries do (google-gax 5): a
 * credential must not be sent to another universe than its own.
 */
export function universeOf(named: string | undefined, env: NodeJS.ProcessEnv): string {
  const variable = env.GOOGLE_CLOUD_UNIVERSE_DOMAIN || undefined
  if (named !== undefined && variable !== undefined && named !== variable) {
    throw failure('UNIVERSE_MISMATCH', { credentials: named, variable })
  }
  return named ?? variable ?? DEFAULT_UNIVERSE
}
