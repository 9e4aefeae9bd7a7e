/** Failures that a test orders: the next token requests get them, and nothing is minted. */

import { failure, type SidemintError } from '../core/errors.ts'

export interface FailureOrder {
  /** HTTP status, from 400 to 599. */
  status: number
  /** How many token requests fail. */
  times: number
}

export interface InjectedFailures {
  /** Replaces what is left of an earlier order. Throws a RangeError for another status or number. */
  inject(order: FailureOrder): void
  /** The failure for this token request, and one fewer is left; undefined where none is. */
  /** Calls off what is left. */
  clear(): void
  next(): SidemintError | undefined
}

export function createInjectedFailures(): InjectedFailures {
  let status = 503
  let left = 0
  return {
    inject(order) {
      if (!Number.isInteger(order.times) || order.times < 0) throw new RangeError('times must be a whole number from 0')
      if (!Number.isInteger(order.status) || order.status < 400 || order.status > 599) {
        throw new RangeError('status must be a failure, from 400 to 599')
      }
      status = order.status
      left = order.times
    },
    clear() {
      left = 0
    },
    next() {
      if (left === 0) return undefined
      left -= 1
      return failure('INJECTED', { left: String(left) }, { status })
    },
  }
}
