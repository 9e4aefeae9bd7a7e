/**
 * Makes one set of settings from its layers: flags win over `SIDEMINT_*` variables, these over the file, the file over
 * the defaults. A setting has one name in three spellings. All problems are reported at once.
 */

import { dirname } from 'node:path'
import * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { GOOGLE_ISSUER } from '../core/google.ts'
import { plainly, quoted, type Setting, suggest, type Taker } from '../core/schemas.ts'
import { policiesBeside } from '../gate/origin.ts'
import { checkIdentities } from './identity-checks.ts'
import { type Chosen, defaultsOf, flagOf, isTakenBy, type SettingName, type Settings, variableOf } from './settings.ts'
import { OTHER_VARIABLES, SETTINGS } from './table.ts'

/** Where settings come from. A flag given several times has several values. */
export interface Layers {
  flags?: ReadonlyMap<string, readonly (string | boolean)[]>
  env?: NodeJS.ProcessEnv
  /** The parsed file and its path. */
  file?: { path: string; data: unknown }
  /** Settings from a program, by name. */
  options?: Readonly<Record<string, unknown>>
}

const NAMES = Object.keys(SETTINGS) as SettingName[]

/** Whose settings these are. */
export interface Wants {
  /** Whose defaults and options these are. Default: the shared defaults, and any option. */
  taker?: Taker
  /** Its own problems with the settings. */
  check?: (settings: Settings) => string[]
}

/**
 * One set of settings. `problems` that were found before (unknown flags, a half-written file) are reported together with
 * those found here. Throws SETTINGS_INVALID.
 */
export function settle(layers: Layers, problems: readonly string[] = [], wants: Wants = {}): Settings {
  return settleLayers(layers, problems, wants).settings
}

/** The same, and the names of the settings that some layer set, so that they are not the defaults. */
export function settleLayers(
  layers: Layers,
  problems: readonly string[],
  { taker, check }: Wants,
): { settings: Settings; chosen: ReadonlySet<string> } {
  const found = [...problems]
  const chosen: Record<string, unknown> = {
    ...(layers.file === undefined ? {} : { config: layers.file.path }),
    ...fromFile(layers.file, found),
    ...fromVariables(layers.env ?? {}, found),
    ...fromFlags(layers.flags ?? new Map(), found),
    ...fromOptions(layers.options ?? {}, taker, found),
  }
  const settings = Object.freeze({
    ...defaultsOf(taker, layers.env?.SIDEMINT_IMAGE === 'true'),
    ...chosen,
  }) as Settings
  if (Object.values(chosen).every((value) => value !== undefined)) {
    found.push(...checkTogether(settings, check))
  }
  if (chosen.standIn !== undefined && chosen.issuer !== undefined) {
    found.push(`${flagOf('issuer')}: with --stand-in the issuer is Google's (${GOOGLE_ISSUER}); leave it out`)
  }
  if (found.length > 0) throw invalid(found)
  return { settings, chosen: new Set(Object.keys(chosen)) }
}

/** What settings cannot be together. `check`: the taker's own. */
export function checkTogether(settings: Settings, check?: Wants['check']): string[] {
  return [...checkIdentities(settings), ...(check?.(settings) ?? [])]
}

export function invalid(problems: readonly string[]): Error {
  return failure('SETTINGS_INVALID', { problems: problems.join('\n') })
}

function fromFlags(flags: NonNullable<Layers['flags']>, problems: string[]): Chosen {
  return collect([...flags], flagOf, ([, values], setting) => readFlag(values, setting), problems)
}

function readFlag(values: readonly (string | boolean)[], { kind }: Setting): unknown {
  if (kind === 'list') return values.flatMap((value) => splitList(String(value)))
  const last = values.at(-1)
  return typeof last === 'string' ? readText(last, kind) : last
}

function fromVariables(env: NodeJS.ProcessEnv, problems: string[]): Chosen {
  const names = NAMES.filter((name) => SETTINGS[name].kind !== 'tree')
  const known = new Map(names.map((name) => [variableOf(name), name]))
  const given: [string, string][] = []
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('SIDEMINT_') || OTHER_VARIABLES.includes(variable) || value === undefined || value === '')
      continue
    const name = known.get(variable)
    if (name === undefined)
      problems.push(`${plainly(variable)}: unknown variable${suggest(variable, [...known.keys(), ...OTHER_VARIABLES])}`)
    else given.push([name, unquoted(value)])
  }
  return collect(
    given,
    variableOf,
    ([, value], setting) => (setting.kind === 'list' ? splitList(value) : readText(value, setting.kind)),
    problems,
  )
}

function fromFile(file: Layers['file'], problems: string[]): Chosen {
  if (file === undefined || file.data === null || file.data === undefined) return {}
  if (typeof file.data !== 'object' || Array.isArray(file.data)) {
    problems.push(`${file.path}: must hold settings, one key a line`)
    return {}
  }
  const said = collect(
    Object.entries(file.data),
    (name) => `${file.path}: ${name}`,
    ([, value], setting) => (setting.kind === 'list' && typeof value === 'string' ? splitList(value) : value),
    problems,
  )
  return policiesBeside(dirname(file.path), said)
}

function fromOptions(options: Readonly<Record<string, unknown>>, taker: Taker | undefined, problems: string[]): Chosen {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return collect(
    given,
    (name) => name,
    ([, value]) => value,
    problems,
    NAMES.filter((name) => taker === undefined || isTakenBy(name, taker)),
  )
}

/**
 * Reads and checks each value; a problem names the setting as this layer spells it. A value of the wrong type is
 * undefined.
 */
function collect<E extends readonly [string, unknown]>(
  given: readonly E[],
  spell: (name: string) => string,
  read: (entry: E, setting: Setting) => unknown,
  problems: string[],
  known: readonly SettingName[] = NAMES,
): Chosen {
  const chosen: Record<string, unknown> = {}
  for (const entry of given) {
    const [written] = entry
    const name = known.find((candidate) => candidate === written)
    if (name === undefined) {
      problems.push(`${spell(plainly(written))}: unknown setting${suggest(written, known)}`)
      continue
    }
    const setting: Setting = SETTINGS[name]
    const result = v.safeParse(setting.schema, read(entry, setting))
    chosen[name] = result.typed ? result.output : undefined
    for (const issue of result.issues ?? [])
      problems.push(`${spell(name)}${where(issue)}: ${issue.message}${got(issue)}`)
  }
  return chosen as Chosen
}

function where(issue: v.BaseIssue<unknown>): string {
  return (issue.path ?? [])
    .map(({ key: step }) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
}

function got(issue: v.BaseIssue<unknown>): string {
  return typeof issue.input === 'object' || !issue.message.startsWith('must')
    ? ''
    : `, not ${quoted(String(issue.input))}`
}

function readText(value: string, kind: Setting['kind']): unknown {
  if (kind === 'number') return /^\d+$/.test(value) ? Number(value) : value
  if (kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : value
  return value
}

/** Takes off quotes, which `docker run --env-file` keeps. */
export function unquoted(value: string): string {
  return value.replace(/^(["'])((?:(?!\1).)*)\1$/s, '$2')
}

/** The elements between commas, without quotes around them; empty ones are left out. */
export function splitList(value: string): string[] {
  return value
    .split(',')
    .map((element) => unquoted(element.trim()))
    .filter((element) => element !== '')
}
