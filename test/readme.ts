/**
 * What is made from the code and its suites: the tables of docs/reference.md, docs/conformance.md, the JSON Schema for
 * editors, and the README's sentence on clients. `npm run readme` writes them; tests hold them equal.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { COMMANDS } from '../src/commands/main.ts'
import { settingsJsonSchema } from '../src/config/json-schema.ts'
import { flagOf } from '../src/config/settings.ts'
import { SETTINGS } from '../src/config/table.ts'
import { CATALOGUE } from '../src/core/errors.ts'
import type { Setting } from '../src/core/schemas.ts'
import { PAPER, paper } from './conformance/paper.ts'

export const REFERENCE = new URL('../docs/reference.md', import.meta.url)
export const README = new URL('../README.md', import.meta.url)
const CLIENTS = new URL('../docs/clients.md', import.meta.url)
/** In the repository for its examples; the package has one of its own. */
export const SCHEMA = new URL('../sidemint.schema.json', import.meta.url)
const LIBRARY = new URL('../src/index.ts', import.meta.url)

const PARTS: Record<string, () => string | Promise<string>> = {
  commands: async () => {
    const rows = Object.values(COMMANDS).map(async ({ summary, load }) => {
      const [usage = ''] = (await load()).help().split('\n')
      return [`\`${usage}\``, summary]
    })
    return table(['command', 'does'], await Promise.all(rows))
  },
  settings: () =>
    table(
      ['setting', 'meaning', 'default', 'taken by'],
      Object.entries(SETTINGS).map(([name, setting]: [string, Setting]) => [
        setting.kind === 'tree' ? `\`${name}:\` in the file` : `\`${flagOf(name)}${spaced(setting.value)}\``,
        setting.help,
        defaultsOf(setting),
        setting.takenBy.map(takerName).join(', '),
      ]),
    ),
  errors: () =>
    table(
      ['code', 'status', 'what failed', 'what to do'],
      Object.entries(CATALOGUE).map(([code, { status, what, fix }]) => [`\`${code}\``, String(status), what, fix]),
    ),
  clients: clientsTried,
  'test API': () => {
    const types = readFileSync(LIBRARY, 'utf8').matchAll(
      /(?<=\n)(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export (?:interface|type) [\s\S]*?\n(?=\n)/g,
    )
    return `\`\`\`ts\n${[...types].join('\n')}\`\`\`\n`
  },
}

/** What the table of docs/clients.md says, without the rows that replay a library's requests. */
function clientsTried(): string {
  const text = readFileSync(CLIENTS, 'utf8')
  const [, date = ''] = /wrote it on (\d{4}-\d\d-\d\d)/.exec(text) ?? []
  const [, rows = ''] = /### What each client got\n+.*\n.*\n((?:\|.*\n)+)/.exec(text) ?? []
  const cells = rows
    .trim()
    .split('\n')
    .map((row) => row.split('|').map((cell) => cell.trim()))
  const run = cells.filter(([, , , version]) => version !== 'replay')
  const clients = new Set(run.map(([, , client, version]) => `${client} ${version}`))
  const names = new Set(run.map(([, language]) => language))
  return `${clients.size} unmodified clients (${[...names].join(', ')}) got tokens from it on ${date}: [which](docs/clients.md).`
}

export const schemaText = () => `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`

/** The text with every part between its marks made anew. */
export async function withParts(text: string): Promise<string> {
  let made = text
  for (const [name, make] of Object.entries(PARTS)) {
    const part = await make()
    const marked = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
    made = made.replace(marked, (_, start: string, end: string) => `${start}\n${part}\n${end}`)
  }
  return made
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('')
}

/** One value for all, then those that a command or our image has in its place. */
function defaultsOf({ default: value, defaultOf = {}, imageDefault = {} }: Setting): string {
  const own = Object.entries(defaultOf).map(([taker, other]) => `${takerName(taker)}: ${shown(other)}`)
  const inImage = Object.entries(imageDefault).map(([taker, other]) => `image, ${taker}: ${shown(other)}`)
  return [shown(value), ...own, ...inImage].filter((part) => part !== '').join('; ')
}

function shown(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return typeof value === 'string' || typeof value === 'number' ? `\`${value}\`` : ''
}

const takerName = (taker: string) => (taker === 'library' ? 'test API' : taker)
const spaced = (value: string | undefined) => (value === undefined ? '' : ` ${value}`)

if (process.argv[1] === import.meta.filename) {
  writeFileSync(SCHEMA, schemaText())
  for (const page of [README, REFERENCE])
    void withParts(readFileSync(page, 'utf8')).then((text) => writeFileSync(page, text))
  void paper().then((text) => writeFileSync(PAPER, text))
}
