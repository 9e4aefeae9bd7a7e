/**
 * What must hold whatever happens. It knows what was asked and what Google did, and nothing of how the server keeps tokens;
 * where it cannot know (a token that may have been evicted), it demands nothing.
 */

import { MINUTE, SECOND } from '../clock.ts'
import type { FakeFile, FakeGoogle, Mint } from './google.ts'
import { mintOf } from './google.ts'
import { ENTRIES } from './settings.ts'
import type { Ask } from './steps.ts'
import type { Time } from './time.ts'

export type Invariant =
  | 'no token is expired or within its last minute'
  | "nothing of another's identity"
  | 'nothing for another audience, format or scope'
  | 'nothing of another login'
  | 'one mint a key'
  | 'no valid token is withheld'
  | 'failures are forgotten'
  | 'every waiter is answered'

export class Violation extends Error {
  readonly invariant: Invariant
  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`)
    this.invariant = invariant
  }
}

/** A request that was sent. */
export interface Asked {
  ask: Ask
  /** The key of the request that must reach Google; undefined where it must be refused. */
  key: string | undefined
  /** Whose token it must be; 'own': the credential's own account. */
  account: string | undefined
  order: number
  /** Since when it waits for no file, without the time that the machine slept. */
  readyMs: number
  waitsForRead: boolean
  /** The logins whose tokens it may get. */
  logins: Set<number>
}

export type Answered = { status: number; text: string; transient: boolean }

/** What Google's clients refuse, and the least that is left of an access token that lives shorter. */
const LEAST_LEFT_MS = MINUTE
const PATIENCE_MS = 300
const FAILURE_MEMORY_MS = { passing: 3 * SECOND, 'for good': 10 * SECOND }

export interface Judge {
  began(mint: Mint): void
  ended(mint: Mint): void
  /** Every token and failure is to be forgotten. */
  cleared(): void
  answered(asked: Asked, answer: Answered): void
  /** Nothing goes on before the next step. */
  atRest(waiting: ReadonlySet<Asked>): void
}

interface Parts {
  time: Time
  google: () => FakeGoogle
  file: FakeFile
  epoch: () => number
}

export function createJudge({ time, google, file, epoch }: Parts): Judge {
  /** By key, the last that was put in being the last of the map. */
  const kept = new Map<string, Mint>()
  const failed = new Map<string, Mint>()

  function putLast(map: Map<string, Mint>, mint: Mint): void {
    map.delete(mint.key)
    map.set(mint.key, mint)
  }

  /** How many other keys came after this one. */
  const after = (map: Map<string, Mint>, key: string) => map.size - 1 - [...map.keys()].indexOf(key)
  const steadyLeft = (mint: Mint) => (mint.ended?.steadyMs ?? 0) + mint.lifeMs - time.steadyMs

  /** A token that must have been there for a request: kept before, not evicted, with a minute left by the server's clock. */
  function sureOf({ key, order }: Asked): Mint | undefined {
    const mint = key === undefined ? undefined : kept.get(key)
    if (mint?.ended === undefined || mint.ended.order > order || after(kept, mint.key) >= ENTRIES) return undefined
    return steadyLeft(mint) >= LEAST_LEFT_MS ? mint : undefined
  }

  /** What is answered, a token or a failure, comes from a mint of exactly what was asked for. */
  function checkWhose({ ask, account, logins }: Asked, { number, account: minted, key, request, login }: Mint): void {
    const what = `mint-${number} of ${minted} for ${key}`
    if (account === undefined || (account === 'own' ? request.principal !== undefined : account !== minted)) {
      throw new Violation("nothing of another's identity", `${what}, not ${account ?? 'a refusal'}`)
    }
    const { want } = ask
    const isWanted =
      want.kind === 'id'
        ? request.kind === 'id' && request.audience === want.audience && request.format === want.format
        : request.kind === 'access' && request.scopes.join() === want.scopes.split(',').filter(Boolean).sort().join()
    if (!isWanted) throw new Violation('nothing for another audience, format or scope', what)
    if (!logins.has(login)) {
      throw new Violation('nothing of another login', `${what}, of login ${login}, not ${[...logins].join(' or ')}`)
    }
  }

  function checkToken(asked: Asked, mint: Mint): void {
    checkWhose(asked, mint)
    const { number, account, key, request, ended, lifeMs } = mint
    const leftMs = (ended?.atMs ?? 0) + lifeMs - time.atMs
    const least = request.kind === 'id' ? LEAST_LEFT_MS : Math.min(LEAST_LEFT_MS, lifeMs / 2)
    const isAwaited = (ended?.order ?? 0) > asked.order
    if (!isAwaited && leftMs < least) {
      throw new Violation(
        'no token is expired or within its last minute',
        `token-${number} of ${account} for ${key} has ${leftMs} ms left`,
      )
    }
  }

  function checkFailure(asked: Asked, mint: Mint): void {
    checkWhose(asked, mint)
    const { number, key, ended } = mint
    if (ended === undefined || ended.outcome === 'token' || ended.order > asked.order) return
    const ageMs = time.atMs - ended.atMs
    const what = `mint-${number} failed ${ended.outcome} ${ageMs} ms ago`
    if (failed.get(key) !== mint) throw new Violation('failures are forgotten', `${what}, before all was forgotten`)
    if (ageMs > FAILURE_MEMORY_MS[ended.outcome]) throw new Violation('failures are forgotten', what)
    // Those that failed after it was asked may have come between the look at the failure and the answer.
    const later = [...failed.values()].slice(failed.size - after(failed, key))
    const since = later.filter((other) => (other.ended?.order ?? 0) < asked.order)
    if (since.length >= ENTRIES) {
      throw new Violation('failures are forgotten', `${what}, and ${since.length} other keys since`)
    }
  }

  function isFresh({ request, ended, lifeMs }: Mint): boolean {
    const leftMs = (ended?.steadyMs ?? 0) + lifeMs - time.steadyMs
    return request.kind === 'id'
      ? time.steadyMs - (ended?.steadyMs ?? 0) <= 5 * MINUTE &&
          leftMs >= MINUTE &&
          time.setBackAtMs < (ended?.atMs ?? 0)
      : leftMs > Math.min(5 * MINUTE, lifeMs / 2)
  }

  return {
    began(mint) {
      const twice = [...google().underWay].find(
        (other) => other !== mint && other.key === mint.key && other.epoch === mint.epoch,
      )
      if (twice !== undefined) {
        throw new Violation('one mint a key', `mint-${mint.number} beside mint-${twice.number} for ${mint.key}`)
      }
    },
    ended(mint) {
      if (mint.epoch !== epoch()) return
      if (mint.ended?.outcome !== 'token') return putLast(failed, mint)
      failed.delete(mint.key)
      if (mint.lifeMs > 0) putLast(kept, mint)
    },
    cleared() {
      kept.clear()
      failed.clear()
    },
    answered(asked, { status, text, transient }) {
      const number = mintOf(text)
      if (status === 200) {
        if (number === undefined)
          throw new Violation("nothing of another's identity", `what was answered is no token: ${text}`)
        return checkToken(asked, google().mints[number] as Mint)
      }
      if (number !== undefined) checkFailure(asked, google().mints[number] as Mint)
      const sure = sureOf(asked)
      if (transient && sure !== undefined) {
        throw new Violation('no valid token is withheld', `token-${sure.number} is valid, and the answer is ${text}`)
      }
    },
    atRest(waiting) {
      for (const asked of waiting) {
        const { key, readyMs, waitsForRead, ask } = asked
        if (waitsForRead && file.endRead !== undefined) continue
        if (google().underWay.size === 0) {
          throw new Violation('every waiter is answered', `${ask.caller} waits for ${key}, and nothing is under way`)
        }
        const sure = sureOf(asked)
        if (sure !== undefined && (isFresh(sure) || time.elapsed() - readyMs >= PATIENCE_MS)) {
          throw new Violation('no valid token is withheld', `token-${sure.number} is valid, and ${ask.caller} waits`)
        }
      }
    },
  }
}
