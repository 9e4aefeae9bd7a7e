/** Google, and the credential file, as the steps of a simulation say. */

import { failure, type SidemintError } from '../../src/core/errors.ts'
import type { Token, TokenRequest } from '../../src/core/token.ts'
import type { Adc } from '../../src/mint/adc.ts'
import type { ReadAdc } from '../../src/mint/credentials.ts'
import type { LoadMinter } from '../../src/mint/google.ts'
import { LOGINS } from './settings.ts'
import type { Fate } from './steps.ts'
import type { Time } from './time.ts'

/** Within these a mint and the read of a file have ended in one way or the other. */
const LONGEST_MINT_MS = 10_000
const LONGEST_READ_MS = 2_000

/** A mint that reached Google. */
export interface Mint {
  number: number
  /** Of the request that reached Google, every field. */
  key: string
  request: TokenRequest
  /** Whose token it is. */
  account: string
  /** The login that it was made with, by its number. */
  login: number
  /** How often the cache was emptied before it. */
  epoch: number
  /** By the time of the world; undefined while it is under way. */
  ended?: { order: number; atMs: number; steadyMs: number; outcome: 'token' | 'passing' | 'for good' }
  lifeMs: number
  answer(fate: Fate): void
}

export interface FakeGoogle {
  mints: readonly Mint[]
  underWay: ReadonlySet<Mint>
  /** How a mint is answered that begins; 'slow': not by itself. */
  mode: Fate | 'slow'
  loadMinter: LoadMinter
}

export function keyOf(request: TokenRequest): string {
  const { kind, principal = 'own' } = request
  return request.kind === 'id'
    ? [kind, principal, request.audience, request.format].join(' ')
    : [kind, principal, ...request.scopes].join(' ')
}

/** `began` and `ended` are told of each mint. */
export function createGoogle(
  time: Time,
  epoch: () => number,
  began: (mint: Mint) => void,
  ended: (mint: Mint) => void,
): FakeGoogle {
  const mints: Mint[] = []
  const underWay = new Set<Mint>()

  function start(request: TokenRequest, login: string, account: string, closing?: AbortSignal): Promise<Token> {
    const { promise, resolve, reject } = Promise.withResolvers<Token>()
    const number = mints.length
    function end(outcome: 'token' | 'passing' | 'for good', lifeMs: number, settle: () => void): void {
      if (!underWay.delete(mint)) return
      mint.ended = { order: time.next(), atMs: time.atMs, steadyMs: time.steadyMs, outcome }
      mint.lifeMs = lifeMs
      ended(mint)
      settle()
    }
    const mint: Mint = {
      number,
      key: keyOf(request),
      request,
      account,
      login: LOGINS.indexOf(login),
      epoch: epoch(),
      lifeMs: 0,
      answer(fate) {
        if ('lifeMs' in fate) {
          const value = `token-${number}`
          end('token', fate.lifeMs, () => resolve({ value, expiresAtMs: time.wall() + fate.lifeMs, served: 'mint' }))
        } else end(fate.fails, 0, () => reject(failureOf(number, fate.fails)))
      },
    }
    mints.push(mint)
    underWay.add(mint)
    began(mint)
    closing?.addEventListener('abort', () => mint.answer({ fails: 'passing' }))
    void time.wait(LONGEST_MINT_MS).then(() => mint.answer({ fails: 'passing' }))
    if (google.mode !== 'slow') mint.answer(google.mode)
    return promise
  }

  const google: FakeGoogle = {
    mints,
    underWay,
    mode: { lifeMs: 3_600_000 },
    loadMinter: async ({ credential }) => {
      if (credential.kind !== 'key') throw new Error('the logins of a simulation are keys')
      const login = credential.email
      return {
        warm: async () => {},
        mint: (request, speaker, closing) => start(request, login, speaker.own ? login : speaker.principal, closing),
      }
    },
  }
  return google
}

/** Says which mint failed, so that a failure which is told again is known. */
function failureOf(number: number, fails: 'passing' | 'for good'): SidemintError {
  return fails === 'passing'
    ? failure('UPSTREAM_UNAVAILABLE', { host: `mint-${number}`, status: '503' })
    : failure('UPSTREAM_REFUSED', { host: `mint-${number}`, status: '403', reason: 'so it is' })
}

/** The number of the mint whose token or failure a text tells of. */
export function mintOf(text: string): number | undefined {
  const found = /(?:mint|token)-(\d+)/.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}

export interface FakeFile {
  content: number | 'broken' | 'missing'
  slow: boolean
  /** Counts what was written. */
  version: number
  /** The version that the last read began with. */
  readVersion: number
  readAtMs: number
  /** The last login that could be read. */
  inForce: number
  /** Ends the read that is under way. */
  endRead: (() => void) | undefined
  read: ReadAdc
}

export function createFile(time: Time, changed: (login: number) => void): FakeFile {
  const file: FakeFile = {
    content: 0,
    slow: false,
    version: 0,
    readVersion: -2,
    readAtMs: 0,
    inForce: -1,
    endRead: undefined,
    async read({ name }) {
      const { content } = file
      file.readVersion = file.version
      file.readAtMs = time.atMs
      if (file.slow) {
        const { promise, resolve } = Promise.withResolvers<void>()
        file.endRead = resolve
        void time.wait(LONGEST_READ_MS).then(resolve)
        await promise
        file.endRead = undefined
      }
      if (content === 'broken') throw failure('CREDENTIALS_MALFORMED', { path: name, reason: 'it is half written' })
      if (content === 'missing') throw failure('CREDENTIALS_MISSING', { path: name, why: 'it was removed' })
      if (content !== file.inForce) changed(content)
      file.inForce = content
      return adcOf(LOGINS[content] as string)
    },
  }
  return file
}

const adcOf = (email: string): Adc => ({
  credential: { kind: 'key', email, json: { client_email: email, private_key: 'none' } },
})
