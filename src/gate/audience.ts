/** Which `aud` a service accepts (docs/gate.md, "Audiences"). */

import { ADC_CLIENT_ID, GCLOUD_CLIENT_ID } from '../core/google.ts'

/**
 * The audiences of people's tokens: of `gcloud auth print-identity-token`, and of a login by `gcloud auth
 * application-default login`. Cloud Run accepts both for every service.
 */
const GCLOUD_AUDIENCES = new Set<string>([GCLOUD_CLIENT_ID, ADC_CLIENT_ID])

/**
 * A run.app URL is compared by its origin, since Cloud Tasks and others use the whole URL of a call as audience.
 * Everything else, such as a cloudfunctions.net URL or a custom audience, must match to the letter. A list is refused.
 */
export function acceptsAudience(aud: unknown, audiences: readonly string[], gcloudAudiences: boolean): boolean {
  if (typeof aud !== 'string') return false
  if (audiences.includes(aud) || (gcloudAudiences && GCLOUD_AUDIENCES.has(aud))) return true
  const key = audienceKey(aud)
  return audiences.some((own) => key === audienceKey(own))
}

/** The same for audiences that are one to a gate. */
export function audienceKey(audience: string): string {
  return runAppOrigin(audience) ?? audience
}

/** Not by a URL parser, which corrects spaces, backslashes and letters of other alphabets and drops a user name. */
function runAppOrigin(audience: string): string | undefined {
  return /^https:\/\/[a-z0-9.-]+\.run\.app(?::\d+)?(?=$|[/?#][!-[\]-~]*$)/i
    .exec(audience)?.[0]
    .toLowerCase()
    .replace(/:443$/, '')
}

/** Whether it is the whole URL of a call, as Cloud Tasks and Cloud Scheduler have it by default. */
export function isCallUrl(audience: string): boolean {
  return /^https?:\/\/[^/?#]+(?:\/[^?#]|\/?\?)/.test(audience)
}
