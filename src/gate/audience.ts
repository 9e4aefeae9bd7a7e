/** For whom a token is meant: which `aud` a service takes. */

import { ADC_CLIENT_ID, GCLOUD_CLIENT_ID } from '../core/google.ts'

/**
 * The audiences of tokens that a person gets from gcloud: of `gcloud auth print-identity-token`, and of a login by
 * `gcloud auth application-default login`. Cloud Run takes both for every service.
 */
const GCLOUD_AUDIENCES = new Set<string>([GCLOUD_CLIENT_ID, ADC_CLIENT_ID])

/**
 * A run.app URL is compared by its origin, since Cloud Tasks and others put the whole URL that they call there;
 * anything else, a cloudfunctions.net URL and a custom audience above all, to the letter. A list is never taken.
 */
export function acceptsAudience(aud: unknown, audiences: readonly string[], gcloudAudiences: boolean): boolean {
  if (typeof aud !== 'string') return false
  if (gcloudAudiences && GCLOUD_AUDIENCES.has(aud)) return true
  const origin = runAppOrigin(aud)
  return audiences.some((own) => own === aud || (origin !== undefined && origin === runAppOrigin(own)))
}

/** Read by hand: a URL parser mends spaces, backslashes and letters of other alphabets, and drops a user. */
function runAppOrigin(audience: string): string | undefined {
  return /^https:\/\/[a-z0-9.-]+\.run\.app(?::\d+)?(?=$|[/?#][!-[\]-~]*$)/i
    .exec(audience)?.[0]
    .toLowerCase()
    .replace(/:443$/, '')
}

/** True for the whole URL of a call, which Cloud Tasks and Cloud Scheduler put there by default. */
export function isCallUrl(audience: string): boolean {
  return /^https?:\/\/[^/?#]+(?:\/[^?#]|\/?\?)/.test(audience)
}
