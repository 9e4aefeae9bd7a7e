/** docs/receivers.md: what is run stands there, and what came of it. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './installs.ts'

const PAGE = join(ROOT, 'docs/receivers.md')

/** The first block of code under a heading. */
export function codeOf(heading: string): string {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split(`\n### ${heading}\n`)
  const [, code] = /```\w+[^\n]*\n([\s\S]*?)```/.exec(section) ?? []
  if (code === undefined) throw new Error(`docs/receivers.md has no code under ${heading}`)
  return code
}

const TABLE = /(<!-- table -->\n)[\s\S]*?(?=<!-- end -->)/

/** The table on the page, without the line that says when it was made. */
export function tableOf(): string {
  return (TABLE.exec(readFileSync(PAGE, 'utf8'))?.[0] ?? '').replace(/^Run on .*$/m, '')
}

export function writeTable(lines: readonly string[], now: Date): void {
  const text = `\nRun on ${now.toISOString().slice(0, 10)}.\n\n${lines.join('\n')}\n\n`
  writeFileSync(
    PAGE,
    readFileSync(PAGE, 'utf8').replace(TABLE, (_, start: string) => `${start}${text}`),
  )
}
