/** Changes that no test can notice, since the program does the same with them. */

export interface Equivalent {
  file: string
  /** As `npm run mutate` prints it. */
  change: string
  why: string
}

export const EQUIVALENT: readonly Equivalent[] = []
