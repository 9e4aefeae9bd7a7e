/** Mints an ID token for each identity and keeps only its claims. */

import { asFailure } from '../core/errors.ts'
import { readClaims } from '../core/token.ts'
import { type Identity, identityLabel } from '../identity/identity.ts'
import { type Finding, failed, ok } from './finding.ts'
import { within } from './within.ts'

/** No service has it, so the token is useless to everybody. */
export const AUDIENCE = 'https://doctor.sidemint.invalid'
/** A source gives up after ten seconds. */
const TIMEOUT_MS = 15_000

export function checkMints(all: readonly Identity[]): Promise<Finding[]> {
  return Promise.all(all.map(checkMint))
}

async function checkMint(identity: Identity): Promise<Finding> {
  const { email, principal, tokens } = identity
  const check = email?.replace(/@.*$/, '') ?? 'default'
  const startedAtMs = Date.now()
  try {
    const mint = tokens.mint({ kind: 'id', principal, audience: AUDIENCE, format: 'full' })
    const { value } = await within(TIMEOUT_MS, mint)
    const claims = readClaims(value) ?? {}
    return {
      ...ok(check, `an ID token as ${claims.email ?? identityLabel(identity)} in ${Date.now() - startedAtMs} ms`),
      claims,
    }
  } catch (error) {
    return failed(check, asFailure(error))
  }
}
