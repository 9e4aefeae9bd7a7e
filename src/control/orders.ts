/** What a test may order a server to do: in process through the test API, over HTTP through the control API. */

import { failure } from '../core/errors.ts'
import { GCLOUD_CLIENT_ID } from '../core/google.ts'
import { shownAudience } from '../core/secrets.ts'
import type { Token } from '../core/token.ts'
import type { Identities } from '../identity/identities.ts'
import type { InspectorRecord } from '../inspector/record.ts'
import type { IssueOptions } from '../issuer/local.ts'
import type { FailureOrder, InjectedFailures } from '../metadata/failures.ts'

export interface Orders {
  /** Signs an ID token with any claims. Throws LOCAL_SOURCE_ONLY. */
  issueToken(options: IssueOptions): Promise<Token>
  /**
   * A new key signs from now on, and every cached token is forgotten; the old key stays published as long as its tokens
   * are valid. Returns the new key's id. Throws LOCAL_SOURCE_ONLY and KEY_FILE_UNREADABLE.
   */
  rotateKeys(): Promise<string>
  /** The next token requests fail with the code INJECTED. */
  failNext(order: FailureOrder): void
  /** Empties requests, calls and their counts; grants are kept. */
  clearRequests(): void
  /** Empties requests, calls and their counts, grants, ordered failures and cached tokens. */
  reset(): Emptied
}

/** How many there were of each since the last time. */
export interface Emptied {
  /** Token requests, those that are only counted included. */
  requests: number
  /** Calls through a gate. */
  calls: number
  grants: number
  /** Token requests that would still have failed. */
  failures: number
  tokens: number
}

export interface OrdersParts {
  identities: Identities
  injected: InjectedFailures
  record: InspectorRecord
}

export function createOrders({ identities, injected, record }: OrdersParts): Orders {
  const { source, local, tokens } = identities

  function demandLocal(what: string) {
    if (local === undefined) throw failure('LOCAL_SOURCE_ONLY', { what, source: source.name })
    return local
  }

  return {
    async issueToken(asked) {
      const token = await demandLocal('issueToken').source.issue(asked)
      const [identity, audience] = 'user' in asked ? [asked.user, GCLOUD_CLIENT_ID] : [asked.principal, asked.audience]
      record.issued(token.value, { identity, audience: shownAudience(audience) })
      return token
    },
    async rotateKeys() {
      const kid = await demandLocal('rotateKeys').keys.rotate()
      tokens.clear()
      return kid
    },
    failNext: injected.inject,
    clearRequests: () => record.clear(),
    reset() {
      const { asked: requests, calls } = record.totals
      const grants = record.grants().grants.length
      const { count } = tokens.list(1)
      record.clear()
      record.clearGrants()
      tokens.clear()
      return { requests, calls, grants, failures: injected.clear(), tokens: count }
    },
  }
}
