/** What all acts of a soak have. */

import type { Client } from './client.ts'
import type { Subject } from './subject.ts'

export interface Part extends Pick<Subject, 'callers' | 'port' | 'gatePort' | 'google'>, Client {
  random: () => number
  /** One of the list, by chance. */
  one: <T>(list: readonly T[]) => T
  complain: (what: string) => void
}
