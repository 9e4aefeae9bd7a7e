/**
 * Local access tokens: opaque to their users, as Google's are, and signed, so that we can always tell the account of one
 * of ours. They are not JWTs: those could be taken for ID tokens.
 */

import { randomBytes, sign, verify } from 'node:crypto'
import { parseJson } from '../core/json.ts'
import type { SigningKeys } from './keys.ts'

/** What each of them begins with, before a dot. */
export const LOCAL_ACCESS_TOKEN = 'sidemint-local-access-token'

export interface AccessGrant {
  /** Email of the token's account. */
  principal: string
  scopes: readonly string[]
  /** Epoch ms. */
  expiresAtMs: number
}

/** Two tokens of one second differ by the bytes at their end. */
export async function createAccessToken(keys: SigningKeys, grant: AccessGrant): Promise<string> {
  const { privateKey } = await keys.signing()
  const payload = Buffer.from(JSON.stringify({ ...grant, id: randomBytes(9).toString('base64url') })).toString(
    'base64url',
  )
  return `${LOCAL_ACCESS_TOKEN}.${sign('sha256', signed(payload), privateKey).toString('base64url')}.${payload}`
}

/** What the token grants; undefined where it is not one of ours, was changed, or has expired. */
export async function readAccessToken(
  keys: SigningKeys,
  token: string,
  nowMs: number,
): Promise<AccessGrant | undefined> {
  const [prefix, signature, payload, ...more] = token.split('.')
  if (prefix !== LOCAL_ACCESS_TOKEN || signature === undefined || payload === undefined || more.length > 0)
    return undefined
  const bytes = Buffer.from(signature, 'base64url')
  const isOurs = (await keys.published()).some(({ publicKey }) => verify('sha256', signed(payload), publicKey, bytes))
  if (!isOurs) return undefined
  const { principal, scopes, expiresAtMs } = parseJson(Buffer.from(payload, 'base64url').toString()) as AccessGrant
  return expiresAtMs > nowMs ? { principal, scopes, expiresAtMs } : undefined
}

/** The prefix is signed too, so that the signature of an ID token never fits an access token. */
function signed(payload: string): Buffer {
  return Buffer.from(`${LOCAL_ACCESS_TOKEN}.${payload}`)
}
