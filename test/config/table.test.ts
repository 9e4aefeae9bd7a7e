import test from 'ava'
import * as v from 'valibot'
import { readArguments } from '../../src/commands/arguments.ts'
import { help as curl } from '../../src/commands/curl.ts'
import { help as doctor } from '../../src/commands/doctor.ts'
import { help as env } from '../../src/commands/env.ts'
import { help as exec } from '../../src/commands/exec.ts'
import { help as explain } from '../../src/commands/explain.ts'
import { help as gate } from '../../src/commands/gate.ts'
import { help as grants } from '../../src/commands/grants.ts'
import { help as serve } from '../../src/commands/serve.ts'
import { help as token } from '../../src/commands/token.ts'
import { defaultsOf, flagOf, type LibrarySettings, type SettingName } from '../../src/config/settings.ts'
import { SETTINGS } from '../../src/config/table.ts'
import type { Setting, Taker } from '../../src/core/schemas.ts'
import type { StartOptions } from '../../src/index.ts'

const COMMANDS = { serve, exec, doctor, token, curl, env, explain, grants, gate } satisfies Record<
  Exclude<Taker, 'library'>,
  () => string
>

const ROWS = Object.entries(SETTINGS) as [SettingName, Setting][]
const takenBy = (taker: Taker) => ROWS.filter(([, row]) => row.takenBy.includes(taker)).map(([name]) => name)
const FLAGS = new Map(
  Object.entries(COMMANDS).map(([taker, help]) => [
    taker,
    help()
      .split('\n')
      .flatMap((line) => /^ {2}(--[\w-]+)/.exec(line)?.[1] ?? []),
  ]),
)
const without = (all: readonly string[], ...some: string[]) => all.filter((name) => !some.includes(name))

for (const [name, row] of ROWS) {
  test(`${name} reaches a command, and stands in the help of each that takes it`, (t) => {
    t.true(row.takenBy.some((taker) => taker !== 'library'))
    if (row.kind === 'tree') return
    for (const taker of row.takenBy.filter((taker) => taker !== 'library'))
      t.is(FLAGS.get(taker)?.filter((flag) => flag === flagOf(name)).length, 1, `${flagOf(name)} of ${taker}`)
  })

  test(`the defaults of ${name} are sound`, (t) => {
    const { default: common, defaultOf = {}, imageDefault = {} } = row
    const given = [common, ...Object.values(defaultOf), ...Object.values(imageDefault)]
    for (const value of given.filter((value) => value !== undefined)) t.true(v.is(row.schema, value), String(value))
    for (const taker of [...Object.keys(defaultOf), ...Object.keys(imageDefault)]) {
      t.true(row.takenBy.includes(taker as Taker), `${taker} takes it`)
    }
    t.pass()
  })
}

test('whatever starts or examines a server takes the same settings', (t) => {
  const shared = without(takenBy('serve'), 'gatePort', 'gates', 'controlSecretFile')
  t.deepEqual(takenBy('exec'), shared)
  t.deepEqual(without(takenBy('doctor'), 'server'), shared)
  t.deepEqual(takenBy('library'), without(shared, 'config', 'logFormat', 'logLevel'))
  t.deepEqual(takenBy('curl'), takenBy('token'))
})

test('a flag of another command is an unknown flag', async (t) => {
  const shape = { name: 'env', usage: '', summary: '', flags: {}, takes: 'nothing' } as const
  await t.throwsAsync(readArguments(shape, { argv: ['--allow-host=a'], env: {} }), {
    message: '--allow-host: unknown flag',
  })
})

test('the options of startSidemint are the settings that the table gives to the library', (t) => {
  type Options = Required<Omit<StartOptions, 'now'>>
  const fromTable: (settings: Required<LibrarySettings>) => Options = (settings) => settings
  const toTable: (options: Options) => Required<LibrarySettings> = (options) => options
  t.is(typeof fromTable, typeof toTable)
})

test('the defaults are those that are documented', (t) => {
  const common = { host: '127.0.0.1', platform: 'cloud-run', allowUserTokens: false }
  t.like(defaultsOf('serve'), { ...common, port: 16925, source: 'auto', cacheEntries: 10_000, logLevel: 'info' })
  t.like(defaultsOf('exec'), { ...common, port: 0, logLevel: 'warn', logFormat: 'text' })
  t.like(defaultsOf('library'), { ...common, port: 0, source: 'local' })
  t.like(defaultsOf('token'), { server: 'http://127.0.0.1:16925' })
  t.like(defaultsOf('gate'), {
    port: 8080,
    adminPort: 8081,
    trust: ['google', 'http://metadata.google.internal'],
    strip: 'both',
    mode: 'enforce',
    gcloudAudiences: true,
  })
})
