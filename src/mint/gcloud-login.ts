/** The login of gcloud itself, which people take for the one that Google's libraries use. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gcloudDirectory } from './adc-place.ts'

/**
 * The file in which `gcloud auth login` keeps its login, beside which `gcloud auth application-default login` would
 * put the libraries' own (`Paths.credentials_db_path` in googlecloudsdk/core/config.py). Undefined where there is none.
 */
export function gcloudLogin(env: NodeJS.ProcessEnv): string | undefined {
  const path = join(gcloudDirectory(env).directory, 'credentials.db')
  return existsSync(path) ? path : undefined
}
