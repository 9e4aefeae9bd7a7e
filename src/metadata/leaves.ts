/** The two keys that are minted: what their queries mean, and how their tokens are written. */

import type { Token } from '../core/token.ts'
import { type Answer, badRequest, TYPES } from '../http/wire.ts'
import type { Leaf } from './tree.ts'

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
      answer: kept(({ value }) => ({ status: 200, type: TYPES.html, body: value })),
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
      answer: kept(
        (token, secondsLeft) =>
          alt === 'text'
            ? { status: 200, type: TYPES.text, body: asText(token, secondsLeft) }
            : { status: 200, type: TYPES.json, body: asJson(token, secondsLeft) },
        ({ expiresAtMs }) => secondsUntil(expiresAtMs, now()),
      ),
    }
  }
}

/** The last answer again while the token, and what is left of it where that is in the answer, are the same. */
function kept(
  write: (token: Token, secondsLeft: number) => Answer,
  secondsLeftOf: (token: Token) => number = () => 0,
): (token: Token) => Answer {
  let last: { token: Token; secondsLeft: number; answer: Answer } | undefined
  return (token) => {
    const secondsLeft = secondsLeftOf(token)
    if (last === undefined || last.token !== token || last.secondsLeft !== secondsLeft) {
      last = { token, secondsLeft, answer: write(token, secondsLeft) }
    }
    return last.answer
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
function asJson({ value }: Token, secondsLeft: number): string {
  return JSON.stringify({ access_token: value, expires_in: secondsLeft, token_type: 'Bearer' })
}

function asText({ value }: Token, secondsLeft: number): string {
  return `access_token ${value}\nexpires_in ${secondsLeft}\ntoken_type Bearer\n`
}

function secondsUntil(expiresAtMs: number, nowMs: number): number {
  return Math.max(1, Math.floor((expiresAtMs - nowMs) / 1000))
}
