/**
 * Unmodified clients of every language in processes of their own: with what `sidemint env` prints, and without any
 * variable in a network namespace that owns the metadata server's address. A run in which every row is good writes its
 * table into docs/clients.md. CLIENTS=newest runs the newest versions instead of those of the locks.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createSigningKeys, type SigningKeys } from '../../src/issuer/keys.ts'
import { curl, gcloud } from './commands/language.ts'
import { go } from './go/language.ts'
import { java } from './java/language.ts'
import type { Language } from './language.ts'
import { node } from './node/language.ts'
import { ACCOUNT, ASKED, type Client, CUT_AUDIENCE, ISSUER, type Outcome, PROJECT, runProbe } from './probe.ts'
import { pythonClients } from './python/language.ts'
import { replays } from './replay/language.ts'
import { report } from './report.ts'
import { ruby } from './ruby/language.ts'
import { rust } from './rust/language.ts'
import { testWith } from './toolchain.ts'
import { byAddress, byVariables, NAMESPACE_NEEDS, type Way } from './way.ts'

const NEWEST = process.env.CLIENTS === 'newest'
const LANGUAGES: readonly Language[] = [node, pythonClients, go, curl, gcloud, java, ruby, ...replays, rust].map(
  (language) => ({
    ...language,
    clients: [...language.clients, ...(NEWEST ? (language.scheduled ?? []) : [])],
  }),
)
const PAPER = join(import.meta.dirname, '..', '..', 'docs', 'clients.md')
const RESULTS = /(?<=<!-- results -->\n).*(?=<!-- \/results -->)/s

const scratch = mkdtempSync(join(tmpdir(), 'sidemint-clients-'))
const keyFile = join(scratch, 'key.pem')
const ALLOWED = [ASKED.audience, CUT_AUDIENCE, ASKED.bareAudience].map((audience) => `--allow-audience=${audience}`)
const SETTINGS = ['--source=local', `--project=${PROJECT}`, `--service-account=${ACCOUNT}`]
const SERVE = [...SETTINGS, `--issuer=${ISSUER}`, `--key-file=${keyFile}`, ...ALLOWED]

const outcomes = new Map<Language, Outcome[]>()
const ways: Partial<Record<Way['name'], Promise<Way>>> = {}
let keys: SigningKeys

const START = {
  variables: () => byVariables(SERVE),
  address: () => byAddress(SERVE),
}

test.before(() => {
  keys = createSigningKeys({ settings: { keyFile }, warn: () => {}, now: Date.now })
  return keys.published()
})

test.after.always(async () => {
  await Promise.allSettled(Object.values(ways).map(async (way) => (await way).close()))
  rmSync(scratch, { recursive: true, force: true })
  const sections = [...outcomes].map(([{ name }, outcomes]) => ({ language: name, outcomes }))
  const results = report(sections)
  console.log(results)
  if (!NEWEST && isComplete()) writeResults(results)
})

for (const language of LANGUAGES) {
  const { name, needs, clients } = language
  let prepared: Promise<void> | undefined
  testWith(needs, `${name}: the clients are installed`, async (t) => {
    t.timeout(600_000)
    prepared = language.prepare(NEWEST)
    await t.notThrowsAsync(prepared)
  })
  for (const client of clients) {
    for (const way of waysOf(client)) {
      const all = way === 'address' ? [...needs, ...NAMESPACE_NEEDS] : needs
      testWith(all, `${name}, ${client.name}, by ${way}`, async (t) => {
        t.timeout(300_000)
        await prepared
        const outcome = await runProbe(client, await open(way), keys)
        outcomes.set(language, [...(outcomes.get(language) ?? []), outcome])
        t.deepEqual(outcome.problems, [])
      })
    }
  }
}

function waysOf({ withoutVariables }: Client): readonly Way['name'][] {
  return withoutVariables === undefined ? ['variables', 'address'] : ['address']
}

function open(name: Way['name']): Promise<Way> {
  ways[name] ??= START[name]()
  return ways[name]
}

/** Whether every row of the table is there and good. */
function isComplete(): boolean {
  const all = LANGUAGES.flatMap(({ clients }) => clients.flatMap(waysOf))
  const good = [...outcomes.values()].flat().filter(({ problems }) => problems.length === 0)
  return good.length === all.length
}

function writeResults(results: string): void {
  const date = new Date().toISOString().slice(0, 10)
  const text = `As \`npm run test:clients\` wrote it on ${date}, with Node.js ${process.versions.node}.\n\n${results}\n`
  writeFileSync(
    PAPER,
    readFileSync(PAPER, 'utf8').replace(RESULTS, () => `\n${text}`),
  )
}
