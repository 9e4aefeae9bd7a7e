/** The two keys that are minted: what their queries mean, and how their tokens are written. */

import type { Token } from '../token.ts'
import type { Leaf } from '../tree.ts'
import { badRequest, TYPES } from '../wire.ts'

/** Google takes these for true, in any case, and everything else for false. */
export function isTruthy(value: string | null): boolean {
  return /^(?:true|on|yes|1)$/i.test(value ?? '')
}

/** `identity?audience=X&format=full`: `licenses` and unknown formats are ignored, as Cloud Run does. */
export function identityLeaf(principal: string): Leaf {
  return (query) => {
    const audience = query.get('audience') ?? ''
    if (audience === '') throw badRequest('non-empty audience parameter required')
    const format = query.get('format')?.toLowerCase() === 'full' ? 'full' : 'standard'
    return {
      request: { kind: 'id', principal, audience, format },
      answer: ({ value }) => ({ status: 200, type: TYPES.html, body: value }),
    }
  }
}

/** `token?scopes=a,b`: Cloud Run honours the scopes, a VM only where `enforce_scopes` says so. */
export function accessLeaf(principal: string, { platform, now }: { platform: string; now: () => number }): Leaf {
  return (query) => {
    if (isTruthy(query.get('wait_for_change'))) throw badRequest('wait_for_change is not supported on this key')
    const alt = query.get('alt') ?? 'json'
    if (alt !== 'json' && alt !== 'text') throw badRequest('alt must be json or text')
    const honoured = platform === 'cloud-run' || isTruthy(query.get('enforce_scopes'))
    const scopes = honoured ? readScopes(query.get('scopes') ?? '') : []
    return {
      request: { kind: 'access', principal, scopes },
      answer: (token) =>
        alt === 'text'
          ? { status: 200, type: TYPES.text, body: asText(token, now()) }
          : { status: 200, type: TYPES.json, body: asJson(token, now()) },
    }
  }
}

/** Libraries join scopes with commas; `cloud-platform` is short for its URL, as gcloud takes it. */
function readScopes(list: string): string[] {
  const scopes = list
    .split(/[\s,]+/)
    .filter((scope) => scope !== '')
    .map((scope) => (/:|^(?:openid|email|profile)$/.test(scope) ? scope : `https://www.googleapis.com/auth/${scope}`))
  return [...new Set(scopes)].sort()
}

/** Exactly these fields; `expires_in` is a whole number above zero, or Java, Rust and Go refuse the answer. */
function asJson({ value, expiresAtMs }: Token, nowMs: number): string {
  return JSON.stringify({ access_token: value, expires_in: secondsLeft(expiresAtMs, nowMs), token_type: 'Bearer' })
}

function asText({ value, expiresAtMs }: Token, nowMs: number): string {
  return `access_token ${value}\nexpires_in ${secondsLeft(expiresAtMs, nowMs)}\ntoken_type Bearer\n`
}

function secondsLeft(expiresAtMs: number, nowMs: number): number {
  return Math.max(1, Math.floor((expiresAtMs - nowMs) / 1000))
}
