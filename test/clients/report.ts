/** The table of a run, as it is printed and as docs/clients.md has it. */

import type { Outcome, Step } from './probe.ts'

const COLUMNS: readonly [heading: string, steps: readonly Step[]][] = [
  ['detection', ['detection']],
  ['project', ['project']],
  ['account', ['account']],
  ['access token', ['accessToken']],
  ['scopes', ['scopes']],
  ['ID tokens', ['idToken', 'bareIdToken']],
  ['universe', ['universe']],
  ['verifies', ['verified']],
  ['waits', ['subscribed']],
]

export interface Section {
  language: string
  outcomes: readonly Outcome[]
}

/** Both tables in Markdown. */
export function report(sections: readonly Section[]): string {
  const rows = sections.flatMap(({ language, outcomes }) => outcomes.map((outcome) => ({ language, outcome })))
  const heading = ['language', 'client', 'version', 'way', ...COLUMNS.map(([name]) => name), 's']
  const results = rows.flatMap(({ language, outcome }) => {
    const { client, version, way, tookMs } = outcome
    const cells = [...COLUMNS.map(([, steps]) => cell(outcome, steps)), (tookMs / 1000).toFixed(1)]
    const unreached = ['knows no variable', ...cells.slice(1).map(() => '')]
    return [
      ...(client.withoutVariables === undefined ? [] : [[language, client.name, version, 'variables', ...unreached]]),
      [language, client.name, version, way, ...cells],
    ]
  })
  const without = rows
    .filter(({ outcome }) => outcome.client.withoutVariables !== undefined)
    .map(({ language, outcome }) => [language, outcome.client.name, outcome.client.withoutVariables ?? ''])
  const refusals = rows
    .filter(({ outcome }) => outcome.way === 'address' && outcome.refused !== '')
    .map(({ language, outcome }) => [language, outcome.client.name, code(outcome.refused)])
  return [
    '### What each client got',
    table(heading, results),
    '### Who needs the address',
    table(['language', 'client', 'why the variables do not reach it'], without),
    '### What the user reads when the mint is refused',
    table(['language', 'client', 'message'], refusals),
  ].join('\n\n')
}

function cell({ client, good }: Outcome, steps: readonly Step[]): string {
  const asked = steps.filter((step) => client.steps.includes(step))
  if (asked.length === 0) return ''
  if (!asked.every((step) => good.has(step))) return 'FAILED'
  return asked.includes('idToken') && client.cutsAudience === true ? 'ok, cut at `#`' : 'ok'
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heading, heading.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** One line of it, not too long for a table. */
function code(message: string): string {
  const line = message.replace(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('`', "'").trim()
  return `\`${line.length > 500 ? `${line.slice(0, 500)}…` : line}\``
}
