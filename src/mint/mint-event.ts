/** The event of a mint that ended. */

import { SidemintError } from '../core/errors.ts'
import type { MintEvent } from '../core/events.ts'
import { shownRequest } from '../core/secrets.ts'
import type { Token, TokenRequest } from '../core/token.ts'

/** `behind`: it ran behind an answer. Times are epoch ms. */
export function mintEvent(
  request: TokenRequest,
  behind: boolean,
  startedAtMs: number,
  atMs: number,
  outcome: Token | SidemintError,
): MintEvent {
  const shown = shownRequest(request)
  return {
    type: 'mint',
    at: atMs,
    kind: shown.kind,
    audience: shown.kind === 'id' ? shown.audience : '',
    scopes: shown.kind === 'access' ? shown.scopes : [],
    identity: request.principal ?? '',
    behind,
    tookMs: atMs - startedAtMs,
    ...(outcome instanceof SidemintError
      ? { code: outcome.code, reason: outcome.message, fix: outcome.fix, transient: outcome.transient }
      : { expiresAtMs: outcome.expiresAtMs }),
  }
}
