import { readFileSync } from 'node:fs'
import test from 'ava'
import { COMMANDS } from '../src/commands/main.ts'
import { flagOf } from '../src/config/settings.ts'
import { SETTINGS } from '../src/config/table.ts'
import { CATALOGUE } from '../src/core/errors.ts'
import { README, REFERENCE, SCHEMA, schemaText, withParts } from './readme.ts'

const text = readFileSync(REFERENCE, 'utf8')

test('the reference lists commands, settings, errors and the test API as the program has them (npm run readme writes them)', async (t) => {
  t.is(text, await withParts(text))
  for (const name of Object.keys(COMMANDS)) t.regex(text, new RegExp(`^\\| \`sidemint \\[?${name}[\\]\` ]`, 'm'))
  for (const [name, { kind }] of Object.entries(SETTINGS)) {
    t.regex(text, new RegExp(`^\\| \`${kind === 'tree' ? `${name}:` : flagOf(name)}[\` ]`, 'm'))
  }
  for (const code of Object.keys(CATALOGUE)) t.true(text.includes(`| \`${code}\` |`), code)
  for (const name of ['StartOptions', 'Sidemint', 'IssueTokenOptions', 'RecordedRequest']) {
    t.regex(text, new RegExp(`^export (interface|type) ${name}\\b`, 'm'))
  }
})

test('the README says how many unmodified clients were run, and when, as docs/clients.md has it (npm run readme writes it)', async (t) => {
  const readme = readFileSync(README, 'utf8')
  t.is(readme, await withParts(readme))
  t.regex(readme, /^\d\d+ unmodified clients \(.*Node\.js.*\) got tokens from it on \d{4}-\d\d-\d\d:/m)
})

test('the JSON Schema is the one of the settings (npm run readme writes it)', (t) => {
  t.is(readFileSync(SCHEMA, 'utf8'), schemaText())
})
