/**
 * Local access tokens: opaque to who uses them, as Google's are, and signed, so that we know at any time whom one of
 * ours speaks for. No JWT: what looks like one would be taken for an ID token.
 */

import { randomBytes, sign, verify } from 'node:crypto'
import { parseJson } from '../core/json.ts'
import type { SigningKeys } from './keys.ts'

const PREFIX = 'sidemint-local-access-token'

export interface AccessGrant {
  /** Email of the account that the token speaks for. */
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
  return `${PREFIX}.${sign('sha256', signed(payload), privateKey).toString('base64url')}.${payload}`
}

/** Whom the token speaks for; undefined where it is not one of ours, was changed, or has ended. */
export async function readAccessToken(
  keys: SigningKeys,
  token: string,
  nowMs: number,
): Promise<AccessGrant | undefined> {
  const [prefix, signature, payload, ...more] = token.split('.')
  if (prefix !== PREFIX || signature === undefined || payload === undefined || more.length > 0) return undefined
  const bytes = Buffer.from(signature, 'base64url')
  const isOurs = (await keys.published()).some(({ publicKey }) => verify('sha256', signed(payload), publicKey, bytes))
  if (!isOurs) return undefined
  const { principal, scopes, expiresAtMs } = parseJson(Buffer.from(payload, 'base64url').toString()) as AccessGrant
  return expiresAtMs > nowMs ? { principal, scopes, expiresAtMs } : undefined
}

/** The prefix is part of what is signed, so no signature of an ID token is one of these. */
function signed(payload: string): Buffer {
  return Buffer.from(`${PREFIX}.${payload}`)
}
