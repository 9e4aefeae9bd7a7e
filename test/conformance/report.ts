/** A report for people, and for docs/conformance.md. */

import type { OtherwiseResult, Report, RuleResult } from './run.ts'

const MARKS = { ok: 'ok      ', failed: 'FAILED  ', 'not here': 'not here' } as const

export function toText({ url, rules, otherwise }: Report): string {
  const count = (wanted: RuleResult['result']) => rules.filter(({ result }) => result === wanted).length
  const lines = rules.flatMap(({ rule, title, source, result, found }) => [
    `${MARKS[result]}  ${rule}: ${title}`,
    ...(result === 'ok' ? [] : found.map((line) => `            ${line}`)),
    ...(result === 'failed' ? [`            (${source})`] : []),
  ])
  const knowingly = otherwise.flatMap(({ ours, google, reason, seen }) => [
    `otherwise ${seenAs(seen)}  ${ours}`,
    `            Google: ${google} Why: ${reason}`,
  ])
  const sum = `${count('ok')} rules hold, ${count('failed')} failed, ${count('not here')} do not apply at ${url}`
  const head = 'What sidemint does knowingly otherwise, and whether this server does so too (no failures):'
  return `${[...lines, '', head, ...knowingly, '', sum].join('\n')}\n`
}

const seenAs = (seen: boolean | undefined) =>
  seen === undefined ? '(cannot be seen)' : seen ? '(here too)' : '(not here)'

/** `reports`: of servers of ours, by what they look like. */
export function toPaper(reports: Readonly<Record<string, Report>>): string {
  const names = Object.keys(reports)
  const all = Object.values(reports)
  const rows = (all[0]?.rules ?? []).map(({ rule, title, source }, at) => {
    const results = all.map(({ rules }) => inPaper(rules[at]))
    return [`\`${rule}\``, title, linked(source), ...results]
  })
  const otherwise = (all[0]?.otherwise ?? []).map(({ ours, google, reason }: OtherwiseResult) => [ours, google, reason])
  return `# Conformance

The wire rules of Google's metadata server as black-box checks, and how sidemint does. \`npm run readme\` runs them against
servers of ours and writes this page; a test holds it equal.

\`\`\`sh
npm run conformance -- http://127.0.0.1:16925          # any metadata server; --json for programs
\`\`\`

It asks only for what Google's clients ask, and prints nothing of a token. Exit code 0: every rule holds; 1: one
failed; 2: misuse. "Not here" is a rule about something that the server does not have. A rule is a file of
\`test/conformance/rules\`; \`test/conformance/faults.ts\` has a fault for each, which it finds.

## Rules

${table(['rule', 'what holds', 'source', ...names], rows)}
## Knowingly otherwise

What the rules leave out: here sidemint differs from Google's server on purpose, or nobody knows what Google's does.

${table(['sidemint', 'Google', 'why'], otherwise)}`
}

function inPaper(row: RuleResult | undefined): string {
  if (row?.result === 'not here') return `not here: ${row.found.join('; ')}`
  return row?.result ?? ''
}

/** A heading of another paper, or a URL. */
function linked(source: string): string {
  const [, file, heading = ''] = /^docs\/([\w-]+\.md), "(.+)"$/.exec(source) ?? []
  if (file === undefined) return `<${source}>`
  return `[${heading}](${file}#${heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-')})`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('')
}
