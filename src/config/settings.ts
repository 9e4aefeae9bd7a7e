/**
 * Every setting: its name in three spellings, its default, its check and its sentence of help. Flags win over
 * `SIDEMINT_*` variables, these over the file, the file over the defaults; every problem is reported at once.
 */

import { closestMatch } from 'leven'
import * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { email, listOf, objectOf, oneOf, type Setting, text, url, whole, yesOrNo } from '../core/schemas.ts'
import { GATE_DEFAULTS, GATE_SETTINGS } from '../gate/settings.ts'
import { checkIdentities } from './identity-checks.ts'

const key = v.pipe(v.string(), v.regex(/^[^/\0]+$/, 'must be a key without a slash'))
const scalar = v.union([v.string(), v.number(), v.bigint(), v.boolean()])
/** A value of the metadata tree. A bigint is a number beyond 2^53, an instance id for one. */
export type Value = string | number | bigint | boolean | readonly string[]
/** What a user lays over the tree, in Google's own key names; null removes a key. */
export type Overlay = { readonly [key: string]: Value | null | Overlay | readonly Overlay[] }

const overlay: v.GenericSchema<Overlay> = v.record(
  key,
  v.union(
    [scalar, v.null(), v.array(scalar), v.array(v.lazy(() => overlay)), v.lazy(() => overlay)],
    'must be a value, a list or an object of values; null removes a key',
  ),
  'must be an object of values',
) as v.GenericSchema<Overlay>

const identity = objectOf({
  serviceAccount: email,
  callers: v.optional(v.array(text), []),
  hosts: v.optional(v.array(text), []),
  port: v.optional(whole(0, 65535)),
  accounts: v.optional(v.array(email), []),
  delegates: v.optional(v.array(email), []),
})

export const SETTINGS = {
  config: { kind: 'text', value: 'PATH', schema: text, help: 'the settings file (default: ./sidemint.yaml if there)' },
  host: { kind: 'text', value: 'ADDRESS', schema: text, help: 'address to listen on' },
  port: {
    kind: 'number',
    value: 'N',
    schema: whole(0, 65535),
    help: 'port to listen on; 0 takes a free one',
  },
  server: {
    kind: 'text',
    value: 'URL',
    schema: url,
    help: 'the server that client commands ask',
  },
  source: {
    kind: 'text',
    value: 'SOURCE',
    schema: v.pipe(
      v.string('must be auto, google, metadata, metadata=HOST or local'),
      v.regex(/^(auto|google|local|metadata(=[^\s/]+)?)$/, 'must be auto, google, metadata, metadata=HOST or local'),
    ),
    help: 'who mints: auto, google, metadata[=HOST] or local',
  },
  impersonateServiceAccount: {
    kind: 'list',
    value: 'A[,B…]',
    schema: listOf(email),
    help: 'mint as the last of these, the others are the delegates',
  },
  serviceAccount: { kind: 'text', value: 'EMAIL', schema: email, help: 'the default identity' },
  project: { kind: 'text', value: 'ID', schema: text, help: 'project id' },
  projectNumber: {
    kind: 'text',
    value: 'N',
    schema: v.pipe(
      v.union([v.string(), v.number(), v.bigint()], 'must be digits'),
      v.transform(String),
      v.regex(/^\d+$/, 'must be digits'),
    ),
    help: 'project number',
  },
  region: { kind: 'text', value: 'REGION', schema: text, help: 'region' },
  zone: { kind: 'text', value: 'ZONE', schema: text, help: "zone (default: the region's first)" },
  platform: {
    kind: 'text',
    value: 'PLATFORM',
    schema: oneOf('gce', 'cloud-run'),
    help: 'which tree is shown: gce or cloud-run',
  },
  allowAudience: {
    kind: 'list',
    value: 'GLOB',
    schema: listOf(text),
    help: 'audiences that may be asked for (default: any)',
  },
  allowHost: { kind: 'list', value: 'NAME', schema: listOf(text), help: 'further Host names that are answered' },
  allowUserTokens: {
    kind: 'boolean',
    schema: yesOrNo,
    help: "serve a user login's own tokens, with all that user's rights",
  },
  issuer: {
    kind: 'text',
    value: 'URL',
    schema: url,
    help: "local source: the `iss` claim (default: this server's own URL)",
  },
  keyFile: { kind: 'text', value: 'PATH', schema: text, help: 'local source: keep the key here (default: in memory)' },
  cacheEntries: {
    kind: 'number',
    value: 'N',
    schema: whole(1, 10_000_000),
    help: 'the most tokens that are kept',
  },
  logFormat: { kind: 'text', value: 'FORMAT', schema: oneOf('text', 'json'), help: 'text or json' },
  logLevel: {
    kind: 'text',
    value: 'LEVEL',
    schema: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    help: 'debug, info, warn, error or silent',
  },
  ...GATE_SETTINGS,
  identities: { kind: 'tree', schema: v.array(identity), help: 'who is asking, and as whom' },
  metadata: { kind: 'tree', schema: overlay, help: "laid over the tree, in Google's key names" },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS

/** What was set, wherever it was set. */
export type Chosen = { [N in SettingName]?: v.InferOutput<(typeof SETTINGS)[N]['schema']> }

export const DEFAULTS = {
  host: '127.0.0.1',
  port: 16925,
  server: 'http://127.0.0.1:16925',
  source: 'auto',
  region: 'us-central1',
  platform: 'cloud-run',
  allowAudience: ['*'],
  allowHost: [],
  allowUserTokens: false,
  cacheEntries: 10_000,
  logFormat: 'text',
  logLevel: 'info',
  ...GATE_DEFAULTS,
  identities: [],
  metadata: {},
} as const satisfies Chosen

/** All settings; the ones without a default may be absent. */
export type Settings = Readonly<Chosen & Required<Pick<Chosen, keyof typeof DEFAULTS>>>

/** `SIDEMINT_*` variables that no flag and no key of the file has: secrets, and what tells us where we run. */
const OTHER_VARIABLES = ['SIDEMINT_CREDENTIALS', 'SIDEMINT_HOST_CLOUDSDK_CONFIG', 'SIDEMINT_IMAGE']

export function flagOf(name: string): string {
  return `--${kebab(name)}`
}

export function variableOf(name: string): string {
  return `SIDEMINT_${kebab(name).replaceAll('-', '_').toUpperCase()}`
}

/** Where settings come from. A flag given several times has several values. */
export interface Layers {
  flags?: ReadonlyMap<string, readonly (string | boolean)[]>
  env?: NodeJS.ProcessEnv
  /** The parsed file and its path. */
  file?: { path: string; data: unknown }
  /** Settings from a program, by name. */
  options?: Readonly<Record<string, unknown>>
}

/** What one command wants of settings. */
export interface Wants {
  /** These go before the common defaults. */
  defaults?: Partial<Settings>
  /** In the container image (SIDEMINT_IMAGE is true) these go before both. */
  imageDefaults?: Partial<Settings>
  /** What it cannot do with the settings, as problems. */
  check?: (settings: Settings) => string[]
}

/**
 * One settled set of settings. `problems` found elsewhere (unknown flags, a half-written file) are reported with
 * those found here. Throws SETTINGS_INVALID.
 */
export function settle(
  layers: Layers,
  problems: readonly string[] = [],
  { defaults, imageDefaults, check }: Wants = {},
): Settings {
  const found = [...problems]
  const chosen: Record<string, unknown> = {
    ...fromFile(layers.file, found),
    ...fromVariables(layers.env ?? {}, found),
    ...fromFlags(layers.flags ?? new Map(), found),
    ...fromOptions(layers.options ?? {}, found),
  }
  const settings = Object.freeze({
    ...DEFAULTS,
    ...defaults,
    ...(layers.env?.SIDEMINT_IMAGE === 'true' ? imageDefaults : {}),
    ...chosen,
  }) as Settings
  if (Object.values(chosen).every((value) => value !== undefined)) {
    found.push(...checkIdentities(settings), ...(check?.(settings) ?? []))
  }
  if (found.length > 0) throw invalid(found)
  return settings
}

export function invalid(problems: readonly string[]): Error {
  return failure('SETTINGS_INVALID', { problems: problems.join('\n') })
}

/** The closest of the names in brackets, where one is close. */
export function suggest(wrong: string, names: readonly string[]): string {
  const closest = closestMatch(wrong, [...names], { maxDistance: 3 })
  return closest === undefined ? '' : ` (did you mean ${closest}?)`
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
  const names = (Object.keys(SETTINGS) as SettingName[]).filter((name) => SETTINGS[name].kind !== 'tree')
  const known = new Map(names.map((name) => [variableOf(name), name]))
  const given: [string, string][] = []
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('SIDEMINT_') || OTHER_VARIABLES.includes(variable) || value === undefined || value === '')
      continue
    const name = known.get(variable)
    if (name === undefined)
      problems.push(`${variable}: unknown variable${suggest(variable, [...known.keys(), ...OTHER_VARIABLES])}`)
    else given.push([name, value])
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
  return collect(
    Object.entries(file.data),
    (name) => `${file.path}: ${name}`,
    ([, value], setting) => (setting.kind === 'list' && typeof value === 'string' ? splitList(value) : value),
    problems,
  )
}

function fromOptions(options: Readonly<Record<string, unknown>>, problems: string[]): Chosen {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return collect(
    given,
    (name) => name,
    ([, value]) => value,
    problems,
  )
}

/**
 * Reads and checks each value; a problem names the setting as this layer spells it. A value that is not even of its
 * type is undefined.
 */
function collect<E extends readonly [string, unknown]>(
  given: readonly E[],
  spell: (name: string) => string,
  read: (entry: E, setting: Setting) => unknown,
  problems: string[],
): Chosen {
  const chosen: Record<string, unknown> = {}
  for (const entry of given) {
    const [name] = entry
    const setting: Setting | undefined = Object.hasOwn(SETTINGS, name) ? SETTINGS[name as SettingName] : undefined
    if (setting === undefined) {
      problems.push(`${spell(name)}: unknown setting${suggest(name, Object.keys(SETTINGS))}`)
      continue
    }
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
    : `, not ${JSON.stringify(String(issue.input))}`
}

function readText(value: string, kind: Setting['kind']): unknown {
  if (kind === 'number') return /^\d+$/.test(value) ? Number(value) : value
  if (kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : value
  return value
}

function splitList(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '')
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
