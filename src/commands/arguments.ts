/** Reads a command's arguments and its settings, and reports everything that is wrong with them at once. */

import { parseArgs } from 'node:util'
import { readSettingsFile } from '../config/file.ts'
import type { FollowOptions } from '../config/follow.ts'
import { checkTogether, invalid, settle, settleLayers, unquoted } from '../config/layers.ts'
import { defaultsOf, flagOf, type SettingName, type Settings, settingsOf } from '../config/settings.ts'
import { SETTINGS } from '../config/table.ts'
import { plainly, suggest, type Taker } from '../core/schemas.ts'

/** A flag of one command alone. */
export interface OwnFlag {
  /** What its value is called in the help; absent for a flag without a value. */
  value?: string
  help: string
  /** It may be repeated, and its values are a list. */
  repeats?: true
}

export interface CommandShape {
  /** It takes the settings that the table gives to this name. */
  name: Taker
  /** After `sidemint`, in the help. */
  usage: string
  summary: string
  flags: Readonly<Record<string, OwnFlag>>
  /** Its own problems with the settings. */
  check?: (settings: Settings) => string[]
  /** What it takes besides flags: nothing, a command after `--`, or one argument and whatever follows it. */
  takes: 'nothing' | 'a command' | 'an argument and the rest'
  /** Added to the problem of an unknown flag that is like none of ours: which program's it may be, and where to put it. */
  otherFlags?: string
}

export interface Arguments {
  settings: Settings
  /** The settings given as flags. */
  given: ReadonlySet<string>
  /** The settings given as flags, as variables or in the file. */
  chosen: ReadonlySet<string>
  /** The command's own flags. */
  own: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  /** What follows the flags. */
  rest: readonly string[]
  /** What settings of the file are applied by while the command runs. */
  followed: Omit<FollowOptions, 'report' | 'settings'>
}

export interface ArgumentSources {
  argv: readonly string[]
  env: NodeJS.ProcessEnv
}

/** Throws SETTINGS_INVALID. */
export async function readArguments(shape: CommandShape, { argv, env }: ArgumentSources): Promise<Arguments> {
  const problems: string[] = []
  const { flags, own, rest } = readFlags(shape, argv, problems)
  const named = flags.get('config')?.at(-1) ?? unquoted(env.SIDEMINT_CONFIG ?? '')
  const file = await readSettingsFile(String(named), problems)
  const wants = { taker: shape.name, ...shape }
  const layers = (data: unknown) => ({ flags, env, ...(file === undefined ? {} : { file: { path: file.path, data } }) })
  const { settings, chosen } = settleLayers(layers(file?.data), problems, wants)
  const followed = {
    file,
    settle: (data: unknown) => settle(layers(data), [], wants),
    check: (together: Settings) => checkTogether(together, shape.check),
  }
  return { settings, given: new Set(flags.keys()), chosen, own, rest, followed }
}

/** The flags as they were written, settings apart from the command's own. */
function readFlags(shape: CommandShape, argv: readonly string[], problems: string[]) {
  const flags = new Map<string, (string | boolean)[]>()
  const own: Record<string, string | boolean | readonly string[]> = {}
  const names = new Map(settingsOf(shape.name).map((name) => [flagOf(name).slice(2), name]))
  const known = [...names.keys(), ...Object.keys(shape.flags), 'help'].map((name) => `--${name}`)
  const { tokens, rest } = tokenize(shape, names, argv)
  for (const { name: written, rawName, value } of tokens) {
    const negated = written.startsWith('no-') && names.has(written.slice(3))
    const flag = negated ? written.slice(3) : written
    const setting = names.get(flag)
    const ownFlag = shape.flags[flag]
    if (setting === undefined && ownFlag === undefined) {
      problems.push(`${plainly(rawName)}: unknown flag${suggest(rawName, known) || (shape.otherFlags ?? '')}`)
    } else if (setting !== undefined && SETTINGS[setting].kind === 'boolean' && !(negated && value !== undefined)) {
      flags.set(setting, [...(flags.get(setting) ?? []), value ?? !negated])
    } else if (negated || (value === undefined && ownFlag?.value !== undefined)) {
      problems.push(
        `--${written}: ${negated ? 'only yes-or-no settings can be negated, and without a value' : 'needs a value'}`,
      )
    } else if (setting !== undefined) {
      if (value === undefined) problems.push(`--${written}: needs a value`)
      else flags.set(setting, [...(flags.get(setting) ?? []), value])
    } else if (ownFlag?.repeats && value !== undefined) own[flag] = [own[flag] ?? [], value].flat() as string[]
    else own[flag] = value ?? true
  }
  if (shape.takes === 'nothing') {
    const why = `${shape.name} takes no arguments; a command stands before its flags`
    problems.push(...rest.map((argument) => `${plainly(argument)}: ${why}`))
  }
  return { flags, own, rest }
}

/** What `--help` prints for a command. */
export function helpFor(shape: CommandShape): string {
  const rows = [
    ...Object.entries(shape.flags).map(([name, flag]) => [
      flag.value ? `--${name} ${flag.value}` : `--${name}`,
      flag.help,
    ]),
    ...settingsOf(shape.name).map((name) => {
      const setting: { value?: string; help: string } = SETTINGS[name]
      const flag = setting.value ? `${flagOf(name)} ${setting.value}` : flagOf(name)
      return [flag, `${setting.help}${defaultOf(name, shape.name)}`]
    }),
  ] as [string, string][]
  const width = Math.max(...rows.map(([flag]) => flag.length))
  const lines = rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`)
  return `sidemint ${shape.usage}\n\n${shape.summary}\n\n${lines.join('\n')}\n`
}

function defaultOf(name: SettingName, taker: Taker): string {
  const value = defaultsOf(taker)[name]
  return typeof value === 'string' || typeof value === 'number' ? ` (default: ${value})` : ''
}

/** The error for a misused command, in the form of a wrong setting. */
export function misuse(problem: string): Error {
  return invalid([problem])
}

interface FlagToken {
  name: string
  /** With its dashes, as it was written. */
  rawName: string
  value: string | undefined
}

/** A flag that needs a value but is followed by another flag has none; the other flag counts by itself. */
function tokenize(
  shape: CommandShape,
  names: ReadonlyMap<string, SettingName>,
  argv: readonly string[],
): { tokens: FlagToken[]; rest: string[] } {
  const valued = [
    ...[...names].filter(([, name]) => SETTINGS[name].kind !== 'boolean').map(([flag]) => flag),
    ...Object.entries(shape.flags).flatMap(([flag, { value }]) => (value === undefined ? [] : [flag])),
  ]
  const options = Object.fromEntries(valued.map((flag) => [flag, { type: 'string' as const }]))
  const parsed = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens
  const end = parsed.find(({ kind }) => kind !== 'option')
  const mixed = shape.takes === 'nothing'
  const before = end === undefined || mixed ? parsed : parsed.filter(({ index }) => index < end.index)
  const given = before.filter((token) => token.kind === 'option')
  const hungry = given.find(({ inlineValue, value }) => inlineValue === false && /^-./.test(value))
  if (hungry !== undefined) {
    const after = tokenize(shape, names, argv.slice(hungry.index + 1))
    const earlier = tokenize(shape, names, argv.slice(0, hungry.index))
    const starved = { name: hungry.name, rawName: hungry.rawName, value: undefined }
    return { tokens: [...earlier.tokens, starved, ...after.tokens], rest: [...earlier.rest, ...after.rest] }
  }
  const tokens = given.map(({ name, rawName, value }) => ({ name, rawName, value }))
  if (mixed) {
    const isKnown = (flag: string) => names.has(flag.replace(/^no-/, '')) || shape.flags[flag] !== undefined
    // What follows an unknown flag may be its value.
    const isValue = (at: number) => {
      const before = parsed[at - 1]
      return before?.kind === 'option' && before.value === undefined && !isKnown(before.name)
    }
    const rest = parsed.flatMap((token, at) => (token.kind === 'positional' && !isValue(at) ? [token.value] : []))
    return { tokens, rest }
  }
  if (end === undefined) return { tokens, rest: [] }
  return { tokens, rest: argv.slice(end.kind === 'option-terminator' ? end.index + 1 : end.index) }
}
