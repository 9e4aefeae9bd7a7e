/** The login of gcloud itself, which people confuse with the one that Google's libraries use. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gcloudDirectory } from './adc-place.ts'

/**
 * The file in which `gcloud auth login` keeps its login, beside which `gcloud auth application-default login` would
 * put the libraries' own (`Paths.credentials_db_path` in googlecloudsdk/core/config.py). Undefined where there is none.
 */
function gcloudLogin(env: NodeJS.ProcessEnv): string | undefined {
  const path = join(gcloudDirectory(env).directory, 'credentials.db')
  return existsSync(path) ? path : undefined
}

/** What to say to somebody who is logged in to gcloud only, and what to type; undefined for everybody else. */
export function explainGcloudLogin(env: NodeJS.ProcessEnv): { message: string; fix: string } | undefined {
  const login = gcloudLogin(env)
  return login === undefined
    ? undefined
    : {
        message: `gcloud is logged in (${login}), but only for itself: libraries, and sidemint, need the other login`,
        fix: 'gcloud auth application-default login',
      }
}
