/**
 * Changes one operator, constant or guard at a time, chosen by a seed, and says which changes no test notices. The
 * same seed makes the same changes of the same sources. Changes that the type checker refuses are passed over: they
 * say nothing of the tests.
 *
 *     npm run mutate -- --seed 7 [--count 60] [--json] [--results FILE] [FILE...]
 *
 * What is judged is written to the file of results, and not judged again by a run that finds it there.
 */

import { appendFileSync, existsSync, globSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createRandom } from '../random.ts'
import { type Change, changesOf } from './changes.ts'
import { createCopy, type Outcome, ROOT } from './copy.ts'
import { EQUIVALENT } from './equivalent.ts'

const FOLDERS = ['src/gate', 'src/mint', 'src/metadata', 'src/identity']
/** More than these that no test notices, and the run fails. */
const MAY_SURVIVE = 0.1
/** On a busy machine a test can fail twice in a row and be good all the same. */
const MOST_TRIES = 5

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '60' },
    json: { type: 'boolean' },
    results: { type: 'string' },
  },
})
const seed = Number(values.seed)
const count = Number(values.count)
if (!Number.isInteger(seed) || !Number.isInteger(count)) {
  console.error('usage: npm run mutate -- --seed N [--count 60] [--json] [--results FILE] [FILE...]')
  process.exit(2)
}

const random = createRandom(seed)
const choose = <T>(ways: readonly T[]): T => ways[Math.floor(random() * ways.length)] as T

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

using copy = createCopy()
const patterns = positionals.length > 0 ? positionals : FOLDERS.map((folder) => `${folder}/**/*.ts`)
const files = globSync(patterns, { cwd: ROOT }).sort()
const changes = shuffled(
  files.flatMap((file) => changesOf(copy.parse(file), choose).map((change) => ({ file, change }))),
)

const say = (line: string) => values.json || console.log(line)
say(`${changes.length} places in ${files.length} files; seed ${seed}, ${count} changes`)
/** What is red once more was not the machine's doing. */
async function test(tests: readonly string[]): Promise<Outcome> {
  const first = await copy.test(tests)
  return first.noticed ? copy.test(first.of) : first
}

const green = new Set<string>()

/** Tests that are red without a change notice nothing. */
async function holdGreen(tests: readonly string[]): Promise<void> {
  for (let tries = 1; !green.has(tests.join()); tries += 1) {
    const outcome = await copy.test(tests)
    if (!outcome.noticed) green.add(tests.join())
    else if (tries === MOST_TRIES) throw new Error(`the tests fail without a change: ${outcome.by}`)
  }
}

/** The changed lines, with what was changed in brackets: `if (a [&& -> ||] b) return`. */
function shown(text: string, { start, end, to }: Change): string {
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start)
  const after = text.slice(end).split('\n', 1)[0]
  return `${before}[${text.slice(start, end)} -> ${to || 'nothing'}]${after}`.replace(/\s+/g, ' ').trim()
}

interface Result {
  file: string
  change: string
  outcome: 'killed' | 'survived' | 'equivalent'
  /** The first test that failed. */
  by?: string
}

async function judge(file: string, change: Change): Promise<Result | undefined> {
  const text = copy.text(file)
  const line = shown(text, change)
  if (EQUIVALENT.some((known) => known.file === file && known.change === line)) {
    return { file, change: line, outcome: 'equivalent' }
  }
  const changed = text.slice(0, change.start) + change.to + text.slice(change.end)
  const outcome = await copy.changed(file, changed, async () =>
    copy.typeError(file) === undefined ? test(copy.testsOf(file)) : undefined,
  )
  if (outcome === undefined) return undefined
  if (!outcome.noticed) return { file, change: line, outcome: 'survived' }
  await holdGreen(outcome.of)
  return { file, change: line, outcome: 'killed', by: outcome.by }
}

/** By seed, file and changed line. Who changes the sources in between begins a new file. */
const judged = new Map<string, Result | null>()
const kept = values.results
if (kept !== undefined && existsSync(kept)) {
  for (const line of readFileSync(kept, 'utf8').split('\n').filter(Boolean)) {
    const { key, result } = JSON.parse(line) as { key: string; result: Result | null }
    judged.set(key, result)
  }
}

async function judgeOnce(file: string, change: Change): Promise<Result | null> {
  const key = JSON.stringify([seed, file, shown(copy.text(file), change)])
  const before = judged.get(key)
  if (before !== undefined) return before
  const result = (await judge(file, change)) ?? null
  if (kept !== undefined) appendFileSync(kept, `${JSON.stringify({ key, result })}\n`)
  return result
}

const results: Result[] = []
for (const { file, change } of changes) {
  if (results.length === count) break
  const result = await judgeOnce(file, change)
  if (result === null) continue
  results.push(result)
  say(
    `${result.outcome.padEnd(10)} ${file}  ${result.change}${result.by === undefined ? '' : `\n           by ${result.by}`}`,
  )
}

const of = (outcome: Result['outcome']) => results.filter((result) => result.outcome === outcome).length
const [killed, survived, equivalent] = [of('killed'), of('survived'), of('equivalent')]
if (values.json) console.log(JSON.stringify({ seed, killed, survived, equivalent, results }, null, 2))
say(`${results.length} changes of seed ${seed}: ${killed} killed, ${survived} survived, ${equivalent} equivalent`)
process.exitCode = survived > MAY_SURVIVE * results.length ? 1 : 0
