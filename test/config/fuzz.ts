/** Files that somebody wrote nearly right, by a seed: they are read, or refused with a failure of our own. */

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { SidemintError } from '../../src/core/errors.ts'
import { parseYaml } from '../../src/core/yaml.ts'
import { parseAdc } from '../../src/mint/adc.ts'
import { createRandom, PIECES } from '../random.ts'

const ROOT = join(import.meta.dirname, '../..')
const SETTINGS = globSync('{examples,test}/**/sidemint.yaml', { cwd: ROOT, exclude: ['**/node_modules/**'] })
  .sort()
  .map((file) => readFileSync(join(ROOT, file), 'utf8'))
const USER = { type: 'authorized_user', client_id: 'a', client_secret: 'b', refresh_token: 'c' }
const CREDENTIALS = [
  USER,
  {
    type: 'impersonated_service_account',
    service_account_impersonation_url: 'https://x/a@b.c:d',
    source_credentials: USER,
  },
  { type: 'external_account', audience: '//a', subject_token_type: 't', credential_source: { file: '/a' } },
].map((one) => JSON.stringify(one, undefined, 1))
/** Reads `cases` changed files of each kind. */
export function fuzzFiles(t: ExecutionContext, seed: number, cases: number): void {
  const random = createRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  const changed = (texts: readonly string[]) => {
    let text = texts[below(texts.length)] as string
    for (let left = below(4); left >= 0; left -= 1) {
      const at = below(text.length + 1)
      text = `${text.slice(0, at)}${PIECES[below(PIECES.length)]}${text.slice(at + below(6))}`
    }
    return text
  }
  const isRead = (text: string, read: () => unknown) => {
    try {
      read()
    } catch (thrown) {
      if (!(thrown instanceof SidemintError) || thrown.code === 'INTERNAL') {
        t.fail(`seed ${seed}: ${JSON.stringify(text)} is ${String(thrown)}`)
      }
    }
  }
  for (let done = 0; done < cases; done += 1) {
    const settings = changed(SETTINGS)
    isRead(settings, () => {
      const parsed = parseYaml(settings)
      return 'data' in parsed
        ? settle({ file: { path: 'sidemint.yaml', data: parsed.data } })
        : settle({}, parsed.problems)
    })
    const credentials = changed(CREDENTIALS)
    isRead(credentials, () => parseAdc('adc.json', Buffer.from(credentials)))
  }
  t.pass()
}
