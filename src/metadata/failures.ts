/** Failures that a test orders: the next token requests get them, and nothing is minted. */

import { failure, type SidemintError } from '../core/errors.ts'
import { createGlob } from '../core/glob.ts'
import type { TokenRequest } from '../core/token.ts'

export interface FailureOrder {
  /** HTTP status, from 400 to 599. Default 503. */
  status?: number | undefined
  /** How many token requests fail. Default 1. */
  times?: number | undefined
  /** Only requests for ID tokens whose audience matches; `*` is any run of characters. Default: every token request. */
  audience?: string | undefined
  /** How long each waits before it fails, up to 60,000. Default 0. */
  delayMs?: number | undefined
  /** Ends the connection in place of an answer. Default false. */
  drop?: boolean | undefined
}

export interface InjectedFailure {
  error: SidemintError
  delayMs: number | undefined
  drop: boolean
}

export interface InjectedFailures {
  /** Replaces what is left of an earlier order, which makes sense: whoever takes it has checked it. */
  inject(order: FailureOrder): void
  /** Calls off what is left, and says how many token requests would still have failed. */
  clear(): number
  /** The failure for this token request, and one fewer is left; undefined where none is. */
  next(request: TokenRequest): InjectedFailure | undefined
}

export function createInjectedFailures(): InjectedFailures {
  let left = 0
  let make: (left: string) => InjectedFailure
  let concerns: (request: TokenRequest) => boolean
  return {
    inject({ status = 503, times = 1, audience, delayMs, drop = false }) {
      const matches = audience === undefined ? undefined : createGlob([audience])
      concerns = (request) => matches === undefined || (request.kind === 'id' && matches(request.audience))
      make = (left) => ({ error: failure('INJECTED', { left }, { status }), delayMs, drop })
      left = times
    },
    clear() {
      const calledOff = left
      left = 0
      return calledOff
    },
    next(request) {
      if (left === 0 || !concerns(request)) return undefined
      left -= 1
      return make(String(left))
    },
  }
}
