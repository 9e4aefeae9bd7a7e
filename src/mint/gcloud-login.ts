/** The login of gcloud itself, which people take for the one that Google's libraries use. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { locateAdc } from './adc.ts'

/**
 * The file in which `gcloud auth login` keeps its login, beside which `gcloud auth application-default login` would
 * put the libraries' own (`Paths.credentials_db_path` in googlecloudsdk/core/config.py). Undefined where there is none.
 */
export function gcloudLogin(env: NodeJS.ProcessEnv): string | undefined {
  const { GOOGLE_APPLICATION_CREDENTIALS: _, ...others } = env
  const path = join(dirname(locateAdc(others).path), 'credentials.db')
  return existsSync(path) ? path : undefined
}
