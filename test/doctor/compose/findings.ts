/** Findings beside the rows that they should be. */

import type { ExecutionContext } from 'ava'
import type { Finding } from '../../../src/doctor/finding.ts'
import type { Row } from './table.ts'

/** Those of the services, in any order: a file and Compose's answer have different ones. */
export function matches(t: ExecutionContext, found: readonly Finding[], rows: readonly Row[]): void {
  const findings = found
    .filter(({ check }) => check !== 'clients')
    .toSorted((a, b) => Number(a.check > b.check) - Number(a.check < b.check))
  t.deepEqual(
    findings.map(({ check, status }) => [check, status]),
    rows.map(([check, status]) => [check, status]),
    JSON.stringify(findings, null, 2),
  )
  for (const [index, [, status, what, fix = /^/]] of rows.entries()) {
    t.regex(findings[index]?.what ?? '', what)
    t.is(findings[index]?.fix === undefined, status === 'ok')
    if (status !== 'ok') t.regex(findings[index]?.fix ?? '', fix)
  }
}
