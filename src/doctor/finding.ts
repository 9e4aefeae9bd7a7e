/** What one check of `sidemint doctor` found. */

import type { SidemintError } from '../core/errors.ts'

export interface Finding {
  /** What was checked: `ADC`, `clock`, an account, `compose:SERVICE`. */
  check: string
  /** Only `fail` makes the command fail. */
  status: 'ok' | 'warn' | 'fail'
  what: string
  /** What to type, or to write; absent where nothing is wrong. */
  fix?: string
  /** The failure's code in the catalogue, where it has one. */
  code?: string
  /** The claims of a token that was minted as a test. */
  claims?: Record<string, unknown>
}

export function ok(check: string, what: string): Finding {
  return { check, status: 'ok', what }
}

export function warn(check: string, what: string, fix: string): Finding {
  return { check, status: 'warn', what, fix }
}

export function fail(check: string, what: string, fix: string): Finding {
  return { check, status: 'fail', what, fix }
}

/** A failure of the catalogue, with its own fix. */
export function failed(check: string, { code, message, fix }: SidemintError): Finding {
  return { check, status: 'fail', what: message, fix, code }
}
