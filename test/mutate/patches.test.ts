import { existsSync, readFileSync } from 'node:fs'
import test from 'ava'
import { BROKEN } from '../simulate/broken.ts'
import { SURVIVORS } from './patches.ts'

for (const { wrong, file, find } of [...SURVIVORS, ...BROKEN]) {
  test(`the text that makes the wrong change "${wrong}" stands in ${file} exactly once`, (t) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    t.is(text.split(find).length, 2)
  })
}

test('the tests that must notice a wrong change are there', (t) => {
  const missing = SURVIVORS.flatMap(({ tests }) => tests).filter(
    (file) => !existsSync(new URL(`../../${file}`, import.meta.url)),
  )
  t.deepEqual(missing, [])
})
