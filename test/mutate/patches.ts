/** A wrong change, by the text that it replaces, and the tests that must notice it. */
export interface Patch {
  /** What the product would do wrong. */
  wrong: string
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
  tests: readonly string[]
}

export const SURVIVORS: readonly Patch[] = [
  {
    wrong: 'an email counts for the gate without email_verified',
    file: 'src/gate/decision.ts',
    find: 'email_verified === true',
    replace: 'email_verified !== false',
    tests: ['test/gate/request.test.ts'],
  },
]
