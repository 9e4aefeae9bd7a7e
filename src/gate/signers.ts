/** Who may have signed a token: the issuers that a gate trusts, with their keys. */

import { failure } from '../core/errors.ts'
import { GOOGLE_ISSUER } from '../core/google.ts'
import { LOCAL_KID } from '../issuer/key.ts'
import { createRemoteKeys, discoverKeysUrl, type IssuerKeys } from './jwks.ts'
import { describeDifference } from './likeness.ts'
import { type OwnIssuer, ownKeys } from './own-issuer.ts'

/** The issuers that `google` stands for (docs/gate.md, "Verifying"). */
const GOOGLE_ISSUERS = [GOOGLE_ISSUER, 'accounts.google.com']
const GOOGLE_KEYS_URL = 'https://www.googleapis.com/oauth2/v3/certs'

export interface SignersOptions {
  /** `google`, or the URL of an issuer with a discovery document. */
  trust: readonly string[]
  /** Where it is among those that are trusted, its keys are read where they are. */
  own?: OwnIssuer | undefined
  /** What is fetched is kept here too, by the entry of `trust`, for the signers of the next settings. */
  fetched?: Map<string, IssuerKeys>
  /** Epoch ms. Default: the clock. */
  now?: () => number
}

/** Finds who is to have signed a token with that key and that issuer. Throws KEY_UNKNOWN and ISSUER_NOT_TRUSTED. */
export function createSigners({ trust, own, now = Date.now, fetched = new Map() }: SignersOptions) {
  const issuers = new Map<string, Trusted>()
  for (const trusted of trust) {
    const keys = ownKeys(trusted, own) ?? fetchedKeys(trusted, fetched, now)
    for (const issuer of trusted === 'google' ? GOOGLE_ISSUERS : [trusted]) issuers.set(issuer, { keys, trusted })
  }

  const local = [...issuers.values()].filter(({ trusted }) => trusted !== 'google')
  /** A local issuer may sign under Google's name, for receivers that know no other (`--stand-in`). */
  return async function signerOf(kid: string, iss: string, setting: string): Promise<Trusted> {
    if (GOOGLE_ISSUERS.includes(iss) && LOCAL_KID.test(kid)) return localSigner(local, kid, iss, setting)
    const issuer = issuers.get(iss)
    if (issuer) return issuer
    const likeness = describeDifference(iss, trust)
    const difference = likeness === undefined ? '' : `: it ${likeness}`
    throw failure('ISSUER_NOT_TRUSTED', { issuer: quote(iss), difference, trusted: trust.join(' or '), setting })
  }
}

function fetchedKeys(trusted: string, fetched: Map<string, IssuerKeys>, now: () => number): IssuerKeys {
  const locate = trusted === 'google' ? async () => GOOGLE_KEYS_URL : () => discoverKeysUrl(trusted)
  const keys = fetched.get(trusted) ?? createRemoteKeys(locate, now)
  fetched.set(trusted, keys)
  return keys
}

export interface Trusted {
  keys: IssuerKeys
  /** The entry of `trust`. */
  trusted: string
}

/** The one of the local issuers that publishes the key. Google is not asked: it has no such key. */
async function localSigner(local: readonly Trusted[], kid: string, iss: string, setting: string): Promise<Trusted> {
  const looked = await Promise.allSettled(local.map(({ keys }) => keys.find(kid)))
  const found = local.find((_, index) => isKnown(looked[index]))
  // Where its keys cannot be fetched, asking again says so.
  const silent = local.find((_, index) => looked[index]?.status === 'rejected')
  if (found ?? silent) return (found ?? silent) as Trusted
  throw failure(
    'KEY_UNKNOWN',
    { kid: quote(kid), issuer: iss },
    { fix: `name the sidemint that signs with it in ${setting}` },
  )
}

function isKnown(looked: PromiseSettledResult<unknown> | undefined): boolean {
  return looked?.status === 'fulfilled' && looked.value !== undefined
}

/** Text from an unverified token, safe in a log line. */
export function quote(text: unknown): string {
  return JSON.stringify(String(text).slice(0, 200))
}
