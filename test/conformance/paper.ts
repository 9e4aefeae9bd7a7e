/** docs/conformance.md: how the servers of ours do. */

import { startSidemint } from '../../src/index.ts'
import { KINDS } from './kinds.ts'
import { toPaper } from './report.ts'
import { createReport, type Report } from './run.ts'

export const PAPER = new URL('../../docs/conformance.md', import.meta.url)

export async function paper(): Promise<string> {
  const reports: Record<string, Report> = {}
  for (const [kind, options] of Object.entries(KINDS)) {
    await using server = await startSidemint(options)
    reports[kind] = await createReport(server.url)
  }
  return toPaper(reports)
}
