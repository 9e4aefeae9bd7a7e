/** The two keys whose values are tokens: what their queries mean, and how the tokens are written. */

import type { Settings } from '../config/settings.ts'
import { failure } from '../core/errors.ts'
import type { InstanceClaim } from '../core/token.ts'
import { badRequest, createAnswer, TYPES } from '../http/wire.ts'
import type { Leaf } from './tree.ts'

/** Google takes these for true, in any case, and everything else for false (docs/wire.md, "Query parameters"). */
export function isTruthy(value: string | null): boolean {
  return value !== null && /^(?:true|on|yes|1)$/i.test(value)
}

/** In bytes of UTF-8. Each audience is kept for a while, and no URL of a service is a tenth of this. */
const LONGEST_AUDIENCE = 8_192

/**
 * `identity?audience=X&format=full&licenses=TRUE`; an unknown format is `standard` (docs/wire.md, "ID tokens").
 * `describe`: what a VM's full token says of it. Cloud Run's tokens say nothing of theirs, and `licenses` is ignored there.
 */
export function identityLeaf(
  principal: string | undefined,
  { platform }: Pick<Settings, 'platform'>,
  describe: (withLicenses: boolean) => InstanceClaim,
): Leaf {
  return (query) => {
    const audience = query.get('audience') ?? ''
    if (audience === '') throw badRequest('non-empty audience parameter required')
    const bytes = Buffer.byteLength(audience)
    if (bytes > LONGEST_AUDIENCE) {
      throw failure('AUDIENCE_TOO_LONG', { bytes: String(bytes), most: String(LONGEST_AUDIENCE) })
    }
    const format = query.get('format')?.toLowerCase() === 'full' ? 'full' : 'standard'
    const request = { kind: 'id', principal, audience, format } as const
    const isDescribed = format === 'full' && platform === 'gce'
    const withLicenses = query.get('licenses')?.toLowerCase() === 'true'
    return {
      request: isDescribed ? { ...request, instance: describe(withLicenses) } : request,
      showsLife: false,
      answer: ({ value }) => createAnswer(200, TYPES.html, value),
    }
  }
}

/** `token?scopes=a,b`: Cloud Run honours the scopes, a VM only with `enforce_scopes` (docs/wire.md, "The Cloud Run tree"). */
export function accessLeaf(principal: string | undefined, { platform }: Pick<Settings, 'platform'>): Leaf {
  return (query) => {
    if (isTruthy(query.get('wait_for_change'))) throw badRequest('wait_for_change is not supported on this key')
    const alt = query.get('alt') ?? 'json'
    if (alt !== 'json' && alt !== 'text') throw badRequest('alt must be json or text')
    const honoured = platform === 'cloud-run' || isTruthy(query.get('enforce_scopes'))
    const scopes = honoured ? readScopes(query.get('scopes') ?? '') : []
    return {
      request: { kind: 'access', principal, scopes },
      showsLife: true,
      answer: ({ value }, secondsLeft) =>
        alt === 'text'
          ? createAnswer(200, TYPES.text, asText(value, secondsLeft))
          : createAnswer(200, TYPES.json, asJson(value, secondsLeft)),
    }
  }
}

/** Libraries join scopes with commas (docs/wire.md, "Access tokens"). `cloud-platform` is short for its URL, as in gcloud's --scopes. */
function readScopes(list: string): string[] {
  const scopes = list
    .split(/[\s,]+/)
    .filter((scope) => scope !== '')
    .map((scope) => (/:|^(?:openid|email|profile)$/.test(scope) ? scope : `https://www.googleapis.com/auth/${scope}`))
  return [...new Set(scopes)].sort()
}

/** Exactly Google's fields, in Google's order (docs/wire.md, "Access tokens"). */
function asJson(value: string, secondsLeft: number): string {
  return JSON.stringify({ access_token: value, expires_in: secondsLeft, token_type: 'Bearer' })
}

function asText(value: string, secondsLeft: number): string {
  return `access_token ${value}\nexpires_in ${secondsLeft}\ntoken_type Bearer\n`
}
