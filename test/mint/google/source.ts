/** A source that mints by a credential file, before the fake Google. */

import { settle } from '../../../src/config/layers.ts'
import { createGoogleSource, type GoogleSourceOptions } from '../../../src/mint/google.ts'
import type { FakeGoogle } from '../../google/start.ts'

export interface SourceOptions extends Partial<Omit<GoogleSourceOptions, 'delegatesOf' | 'settings'>> {
  /** Default: no. */
  allowUserTokens?: boolean
  delegates?: readonly string[]
}

/** `adc`: what the file has. Its attempts are given more time than a busy machine takes. */
export function sourceFrom(
  google: FakeGoogle,
  adc: object,
  { env, delegates = [], allowUserTokens = false, ...options }: SourceOptions = {},
) {
  const path = google.write(`adc-${crypto.randomUUID()}.json`, JSON.stringify(adc))
  return createGoogleSource({
    delegatesOf: () => delegates,
    settings: settle({ options: { allowUserTokens } }),
    onDate: () => {},
    now: Date.now,
    bounds: { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [5, 10] },
    ...options,
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path, ...env },
  })
}
