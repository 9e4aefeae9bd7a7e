/** The README and the guides of docs/, as a reader follows them: each block as it stands, in order, in a fresh clone. */

import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { startEngine } from '../compose/docker.ts'
import { type Block, blocksOf } from './blocks.ts'
import { buildGoService, createPlace, installBeside, type Place, ROOT } from './place.ts'

/** Pages that are made, and held equal, from what they describe, or whose blocks a suite of their own runs. */
const MADE = ['reference.md', 'clients.md', 'conformance.md', 'receivers.md']
const GUIDES = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md') && !MADE.includes(name))
  .map((name) => `docs/${name}`)
  .filter((page) => blocksOf(ROOT, page).some(({ language }) => language !== 'text'))
const readme = blocksOf(ROOT, 'README.md').filter(({ language }) => language !== 'text')
const reader = createPlace('sidemint-readme')
const clone = join(reader.folder, 'sidemint')

test.before(async () => {
  await startEngine()
  buildGoService()
  cpSync(join(import.meta.dirname, 'shop/go/service'), join(reader.folder, 'shop/go/service'))
})

test.after.always(() => reader.close())

/** What the blocks printed. Those that cannot run here are logged, with the reason. */
async function follow(t: ExecutionContext, place: Place, blocks: readonly Block[]): Promise<string> {
  const printed: string[] = []
  for (const block of blocks) {
    const name = `${block.page}:${block.line}`
    if (block.notRun === undefined) {
      const startedAt = performance.now()
      printed.push(await place.run(block))
      t.log(
        `${name} ${block.file ?? block.text.trim().split('\n').at(-1)}: ${Math.round(performance.now() - startedAt)} ms`,
      )
    } else t.log(`${name} not run: ${block.notRun}`)
  }
  return printed.join('\n')
}

test.serial('from nothing to the first token by the first lines of the README', async (t) => {
  t.timeout(600_000)
  const [first] = readme
  t.is(first?.language, 'sh')
  const typed = ['git clone --quiet', 'cd sidemint', ...(first?.text.trim().split('\n') ?? [])]
  t.true(typed.length <= 5)
  await reader.type(`git clone --quiet file://${ROOT} ../sidemint`)
  const printed = await reader.run({ ...first, text: `SECONDS=0\n${first?.text}times; echo $SECONDS` } as Block)
  const [, claims = '', spent = '', wall] = /^(\{[\s\S]*^\})\n.*\n(.*)\n(\d+)$/m.exec(printed) ?? []
  const work = [...spent.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, s]) => sum + 60 * Number(minutes) + Number(s),
    0,
  )
  t.log(`${typed.length} lines, ${wall} s, ${Math.round(work)} s of them at work`)
  t.is(JSON.parse(claims).aud, 'https://billing.example')
  // A minute of two cores. The wall clock says how busy the machine is.
  t.true(work > 0 && work < 120, `${work} s`)
})

test.serial('the rest of the README, in its order; five services in three languages get their tokens', async (t) => {
  t.timeout(600_000)
  t.teardown(async () => void (await reader.type('docker compose down --volumes --timeout 2')))
  await installBeside(clone)
  cpSync(join(reader.folder, 'installed'), join(reader.folder, 'shop'), { recursive: true, verbatimSymlinks: true })
  const [stack, ...rest] = readme.slice(1)
  await follow(t, reader, [stack as Block])
  const page = readFileSync(join(ROOT, 'README.md'), 'utf8').replaceAll('\n', ' ')
  for (const line of ['docker compose up --build', 'sidemint doctor']) t.true(page.includes(`\`${line}\``), line)
  await reader.type('docker compose up --build --wait')
  await reader.type('sidemint doctor')
  const answer = JSON.parse(await reader.type('curl --silent "$(docker compose port web 8080)"'))
  t.is(answer.calls.orders.status, 200, JSON.stringify(answer))
  t.is(answer.calls.catalog.caller, answer.calls.orders.caller)
  t.is(answer.calls.orders.calls.billing.calls.ledger.status, 200, JSON.stringify(answer))
  t.regex(answer.calls.orders.calls.billing.calls.ledger.caller, /\.iam\.gserviceaccount\.com$/)
  const [, url = ''] = /<(http:\S+)>/.exec(page) ?? []
  t.regex(await (await fetch(url)).text(), /<title>sidemint/i)
  await follow(t, reader, rest)
})

/** Lines of the blocks that say something. */
const linesOf = (blocks: readonly Block[]) =>
  blocks.flatMap(({ text }) => text.split('\n')).filter((line) => !/^\s*(#|$)/.test(line)).length

test('five services take one file of 20 lines at most, and two of 50 with their gates', (t) => {
  const plain = readme.filter(({ file }) => file === 'compose.override.yaml')
  const gated = blocksOf(ROOT, 'docs/front-door.md').filter(({ file }) =>
    ['compose.override.yaml', 'sidemint/sidemint.yaml'].includes(file ?? ''),
  )
  t.log(
    `without gates: ${plain.length} file, ${linesOf(plain)} lines; with: ${gated.length} files, ${linesOf(gated)} lines`,
  )
  t.deepEqual([plain.length, gated.length], [1, 2])
  t.true(linesOf(plain) <= 20)
  t.true(linesOf(gated) <= 50)
  const services = Object.keys(parse(readFileSync(join(import.meta.dirname, 'shop/compose.yaml'), 'utf8')).services)
  t.is(services.length, 5)
  const wired = ([block]: readonly Block[]) => Object.keys(parse(block?.text ?? '', { merge: true }).services).sort()
  t.deepEqual(wired(plain), services.sort())
  t.deepEqual(wired(gated), ['sidemint', ...services].sort())
})

for (const page of GUIDES) {
  test.serial(`${page}, block by block`, async (t) => {
    t.timeout(600_000)
    const place = createPlace(`sidemint-readme-${page.replace(/\W/g, '')}`, clone)
    t.teardown(() => place.close())
    await place.run({ ...(readme.find(({ file }) => file !== undefined) as Block), folder: 'shop' })
    await follow(
      t,
      place,
      blocksOf(ROOT, page).filter(({ language }) => language !== 'text'),
    )
    t.pass()
  })
}

test('the JUnit test of the page is the example, in 40 lines at most', (t) => {
  const [block] = blocksOf(ROOT, 'docs/tests.md').filter(({ language }) => language === 'java')
  t.is(block?.text, readFileSync(join(ROOT, 'examples/junit', block?.file ?? ''), 'utf8'))
  t.true((block?.text.trim().split('\n').length ?? 0) <= 40)
})

test('the two pictures differ in their colours alone', (t) => {
  const [light, dark] = ['light', 'dark'].map((name) =>
    readFileSync(join(ROOT, `docs/flow-${name}.svg`), 'utf8').replace(/#[0-9a-f]{6}/g, '#'),
  )
  t.is(light, dark)
})
