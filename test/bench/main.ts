/** `npm run bench`: what sidemint costs, side by side with the least that Node.js could do. One table, and bench.json. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchAsleep } from './asleep.ts'
import type { Bench, Row } from './bench.ts'
import { benchCompose } from './compose.ts'
import { benchBurst, benchFirst } from './first.ts'
import { benchGate } from './gate.ts'
import { benchHits } from './hits.ts'
import { benchStampede, benchSteady } from './mints.ts'
import { benchPage } from './page.ts'
import { startLoad, stranger } from './processes.ts'
import type { Spread } from './rounds.ts'
import { benchMemory, benchStart } from './start.ts'

const SECTIONS: Record<string, (bench: Bench) => Promise<Row[]>> = {
  hits: benchHits,
  asleep: benchAsleep,
  page: benchPage,
  start: benchStart,
  first: benchFirst,
  memory: benchMemory,
  stampede: benchStampede,
  burst: benchBurst,
  steady: benchSteady,
  gate: benchGate,
  compose: benchCompose,
}

const { values, positionals } = parseArgs({
  options: { against: { type: 'string' }, json: { type: 'string', default: 'bench.json' } },
  allowPositionals: true,
})
const unknown = positionals.find((name) => !Object.hasOwn(SECTIONS, name))
if (unknown !== undefined) throw new Error(`no section ${unknown}; there are ${Object.keys(SECTIONS).join(', ')}`)

const directory = mkdtempSync(join(tmpdir(), 'sidemint-bench-'))
const load = startLoad()
const rows: Row[] = []
try {
  const bench: Bench = {
    load,
    directory,
    sidemint: (flags) => [process.execPath, join(import.meta.dirname, '../../dist/cli.js'), ...flags],
    rival: values.against === undefined ? undefined : stranger(values.against),
  }
  console.log(`| what | measured | against | ratio (middle half) | budget |\n|---|---|---|---|---|`)
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    const measured = await section(bench)
    for (const row of measured) console.log(line(row))
    rows.push(...measured)
  }
} finally {
  load.stop()
  rmSync(directory, { recursive: true, force: true })
}
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
writeFileSync(values.json, `${JSON.stringify({ machine, at: new Date().toISOString(), rows }, null, 2)}\n`)
console.log(`\n${machine.cpu}, ${machine.cores} cores, Node.js ${machine.node}; figures in ${values.json}`)

function line({ what, unit, figures, ratio, budget, met, skipped }: Row): string {
  if (skipped !== undefined) return `| ${what} | skipped: ${skipped} | | | |`
  const [ours, base] = Object.entries(figures)
  const against = base === undefined ? '' : `${base[0]} ${figure(base[1].median)}`
  const verdict = budget === undefined ? '' : `≤ ${budget}${met ? '' : ' **missed**'}`
  return `| ${what} | ${figure(ours?.[1].median ?? Number.NaN)} ${unit} | ${against} | ${ratio === undefined ? '' : between(ratio)} | ${verdict} |`
}

function between({ median, low, high }: Spread): string {
  return `**${median.toFixed(2)}** (${low.toFixed(2)}–${high.toFixed(2)})`
}

function figure(value: number): string {
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)
}
