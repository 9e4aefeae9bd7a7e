/** Requests for tokens in a soak, and for what must be refused. */

import { readClaims } from '../../src/core/token.ts'
import { DEFAULT_ACCOUNT, FLAVOR } from '../http-client.ts'
import type { Part } from './part.ts'
import type { Caller } from './subject.ts'

/** Google's clients refuse a token with less left. */
const LEAST_LEFT_MS = 60_000
export const AUDIENCES = Array.from({ length: 10 }, (_, at) => `https://service-${at}.example`)
const SCOPES = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/pubsub']

export type TokenActs = ReturnType<typeof createTokenActs>

export function createTokenActs({ callers, google, random, one, complain, askAs }: Part) {
  const tookMs: number[] = []
  let checked = 0
  let fresh = 0

  async function idToken(caller: Caller, audience: string, format = 'full'): Promise<string | undefined> {
    const path = `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(audience)}&format=${format}`
    const { status, body } = await askAs(caller, path)
    if (status !== 200) {
      complain(`${status} for ${audience}: ${body.slice(0, 300)}`)
      return undefined
    }
    checkIdToken(caller, audience, format, body)
    return body
  }

  function checkIdToken({ accounts }: Caller, audience: string, format: string, token: string): void {
    checked += 1
    const { aud, email, exp } = readClaims(token) ?? {}
    if (aud !== audience) complain(`a token for ${aud} was answered for ${audience}`)
    if (format === 'full' ? !accounts().includes(String(email)) : email !== undefined) {
      complain(`a token of ${email} was answered to ${accounts().join(' or ')} (${format})`)
    }
    if (Number(exp) * 1000 - Date.now() < LEAST_LEFT_MS) complain(`a token that ends at ${exp} was answered`)
  }

  async function accessToken(caller: Caller): Promise<void> {
    const scope = one(SCOPES)
    const { status, body } = await askAs(caller, `${DEFAULT_ACCOUNT}/token?scopes=${encodeURIComponent(scope)}`)
    if (status !== 200) return complain(`${status} for an access token: ${body.slice(0, 300)}`)
    const { access_token: token, expires_in: seconds } = JSON.parse(body)
    const known = google.accessToken(token)
    checked += 1
    if (known === undefined || !caller.accounts().includes(known.principal) || !known.scopes.includes(scope)) {
      complain(`an access token of ${known?.principal} for ${known?.scopes} was answered to ${caller.accounts()}`)
    }
    if (!(seconds * 1000 >= LEAST_LEFT_MS)) complain(`an access token with ${seconds} s left was answered`)
  }

  async function refused(): Promise<void> {
    const caller = one(callers)
    const path = `${DEFAULT_ACCOUNT}/identity?audience=${one(AUDIENCES)}`
    const [headers, host] = one<[Record<string, string>, string]>([
      [{}, caller.host],
      [{ ...FLAVOR, 'X-Forwarded-For': '10.0.0.9' }, caller.host],
      [FLAVOR, 'evil.example'],
    ])
    const { status } = await askAs({ ...caller, host }, path, headers)
    if (status !== 403) complain(`${status} for what must be refused: ${JSON.stringify(headers)} ${host}`)
  }

  async function hit(): Promise<void> {
    const startedAt = performance.now()
    if (random() < 0.25) await accessToken(one(callers))
    else await idToken(one(callers), one(AUDIENCES), random() < 0.5 ? 'full' : 'standard')
    tookMs.push(performance.now() - startedAt)
  }

  function newAudience(): Promise<unknown> {
    fresh += 1
    return idToken(one(callers), `https://new-${fresh}.example/?a=1&b=${fresh}`)
  }

  return { idToken, refused, hit, newAudience, tookMs, checked: () => checked }
}
