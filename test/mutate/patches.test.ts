import { readFileSync } from 'node:fs'
import test from 'ava'
import { BROKEN } from '../simulate/broken.ts'
import { SURVIVORS } from './patches.ts'

for (const { wrong, file, find } of [...SURVIVORS, ...BROKEN]) {
  test(`the text that makes the wrong change "${wrong}" stands in ${file} exactly once`, (t) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    t.is(text.split(find).length, 2)
  })
}
