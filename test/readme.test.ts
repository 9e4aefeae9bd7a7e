import { readFileSync } from 'node:fs'
import test from 'ava'
import { CATALOGUE } from '../src/core/errors.ts'
import { README, SCHEMA, schemaText, withTables } from './readme.ts'

const text = readFileSync(README, 'utf8')

test('the README lists every setting and every code as the program has them (npm run readme writes them)', (t) => {
  t.is(text, withTables(text))
  for (const code of Object.keys(CATALOGUE)) t.true(text.includes(`| \`${code}\` |`), code)
})

test('the JSON Schema is the one of the settings (npm run readme writes it)', (t) => {
  t.is(readFileSync(SCHEMA, 'utf8'), schemaText())
})
