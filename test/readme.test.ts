import { readFileSync } from 'node:fs'
import test from 'ava'
import { CATALOGUE } from '../src/core/errors.ts'
import { README, withTables } from './readme.ts'

const text = readFileSync(README, 'utf8')

test('the README lists every setting and every code as the program has them (npm run readme writes them)', (t) => {
  t.is(text, withTables(text))
  for (const code of Object.keys(CATALOGUE)) t.true(text.includes(`| \`${code}\` |`), code)
})
