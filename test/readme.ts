/** What is made from the code: the README's tables, and the JSON Schema for editors. `npm run readme` writes them; a test holds them equal. */

import { readFileSync, writeFileSync } from 'node:fs'
import { settingsJsonSchema } from '../src/config/json-schema.ts'
import { flagOf } from '../src/config/settings.ts'
import { SETTINGS } from '../src/config/table.ts'
import { CATALOGUE } from '../src/core/errors.ts'

export const README = new URL('../README.md', import.meta.url)
/** In the repository for its examples; the package has one of its own. */
export const SCHEMA = new URL('../sidemint.schema.json', import.meta.url)

const TABLES: Record<string, () => string> = {
  settings: () =>
    table(
      ['setting', 'meaning'],
      Object.entries(SETTINGS).flatMap(([name, setting]: [string, { kind: string; value?: string; help: string }]) => {
        if (setting.kind === 'tree') return [[`\`${name}:\` in the file`, setting.help]]
        const flag = `${flagOf(name)}${setting.value === undefined ? '' : ` ${setting.value}`}`
        return [[`\`${flag}\``, setting.help]]
      }),
    ),
  errors: () =>
    table(
      ['code', 'status', 'what failed', 'what to do'],
      Object.entries(CATALOGUE).map(([code, { status, what, fix }]) => [`\`${code}\``, String(status), what, fix]),
    ),
}

export const schemaText = () => `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`

/** The text with every table between its marks made anew. */
export function withTables(text: string): string {
  return Object.entries(TABLES).reduce(
    (before, [name, make]) =>
      before.replace(
        new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`),
        (_, start: string, end: string) => `${start}\n${make()}\n${end}`,
      ),
    text,
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('')
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(README, withTables(readFileSync(README, 'utf8')))
  writeFileSync(SCHEMA, schemaText())
}
