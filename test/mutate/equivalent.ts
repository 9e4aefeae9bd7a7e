/** Changes that no test can notice, since the program does the same with them. */

export interface Equivalent {
  file: string
  /** As `npm run mutate` prints it. */
  change: string
  why: string
}

export const EQUIVALENT: readonly Equivalent[] = [
  {
    file: 'src/gate/credential.ts',
    change:
      "const [scheme = '', ...tokens] = (values[0] ?? ['' -> '~']).split(/[\\s,]+/).filter((word) => word !== '')",
    why: 'without a header there is no scheme `bearer` either way, and the refusal looks at the header alone',
  },
]
