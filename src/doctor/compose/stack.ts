/** A stack as data: as Compose reads it, else from the text of its files. */

import { access } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { failure } from '../../core/errors.ts'
import { type Finding, fail, ok, warn } from '../finding.ts'
import { readRegular, refuseOther } from '../regular.ts'
import { askCompose, type Reply } from './ask.ts'
import { complaintIn } from './complaint.ts'
import { asData, asList, type Data, hasVariable } from './shapes.ts'

export const CHECK = 'compose'
const PIPE = 'docker compose config | sidemint doctor --compose -'

export interface StackSources {
  /** Compose files, or `-` for stdin; without any, those that Compose finds in the folder. */
  files: readonly string[]
  env: NodeJS.ProcessEnv
  /** All of stdin. */
  stdin: () => Promise<string>
}

export interface Stack {
  data: Data
  /** The directory of relative paths. */
  directory: string
  /** What kept it from being read in full. */
  findings: Finding[]
}

/** Undefined where no file is named and the folder has none. Throws COMPOSE_FILE_UNUSABLE. */
export async function readStack(sources: StackSources): Promise<Stack | undefined> {
  const stack = await find(sources)
  if (stack === undefined || Object.keys(asData(stack.data.services)).length > 0) return stack
  throw failure('COMPOSE_FILE_UNUSABLE', { path: nameOf(sources.files), reason: 'it has no `services:`' })
}

async function find({ files, env, stdin }: StackSources): Promise<Stack | undefined> {
  if (files.some(isPipe)) {
    const data = await parse('that was piped', await stdin())
    return { data, directory: process.cwd(), findings: describeGaps(data, 'what was piped is read as it is') }
  }
  await Promise.all(files.map(refuseUnusable))
  const reply = await askCompose(files, env)
  switch (reply.kind) {
    case 'answer':
      return answered(reply.text, files, [])
    case 'silence':
      return readPlainly(files, env, reply.why)
    case 'refusal':
      return files.length === 0 && hasNoFile(reply) ? undefined : readDespite(reply, files, env)
  }
}

export function isPipe(file: string): boolean {
  return file === '-' || file === '/dev/stdin'
}

async function refuseUnusable(path: string): Promise<void> {
  await refuseOther(path).catch(({ code = 'unknown' }) => {
    throw failure('COMPOSE_FILE_UNUSABLE', { path, reason: code })
  })
}

type Refusal = Extract<Reply, { kind: 'refusal' }>

/** By the messages of Docker Compose 2.26 and podman-compose 1.6. */
function hasNoFile({ stderr }: Refusal): boolean {
  return /^no configuration file provided|\bno compose\.yaml, .* file found/m.test(stderr)
}

/** A required variable may be set where the stack runs, so the rest of the file is read without it. */
async function readDespite(refusal: Refusal, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Stack> {
  const missing = /required variable (\w+) is missing a value/.exec(refusal.stderr)?.[1]
  if (missing === undefined) throw await refused(refusal, files, env)
  const finding = fail(
    CHECK,
    `the stack requires the variable ${missing}, which is not set; the rest is read without variables`,
    `export ${missing}=…, or write it into the .env file beside the compose file`,
  )
  const reply = await askCompose(files, env, ['--no-interpolate'])
  if (reply.kind === 'answer') return answered(reply.text, files, [finding])
  const stack = await readPlainly(files, env, `\`${refusal.tool} config\` cannot leave variables as they are`)
  if (stack === undefined) throw await refused(refusal, files, env)
  return { ...stack, findings: [finding, ...stack.findings] }
}

/** Compose's message may quote a value of the file: then the error names the command that prints it. */
async function refused(refusal: Refusal, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Error> {
  for (const path of files) await parse(path, await readRegular(path))
  const { tool, exitCode, stderr } = refusal
  const check = `\`${tool} ${files.map((file) => `-f ${file} `).join('')}config --quiet\``
  const path = nameOf(files)
  const said = await complaintIn(stderr, files, env)
  if (said === undefined)
    return failure('COMPOSE_FILE_UNUSABLE', { path, reason: `${check}, which says more, ends with ${exitCode}` })
  const fix = `correct that, until ${check} ends with 0`
  return failure('COMPOSE_FILE_UNUSABLE', { path, reason: `\`${tool} config\` says: ${said}` }, { fix })
}

async function answered(text: string, files: readonly string[], findings: Finding[]): Promise<Stack> {
  return { data: await parse('that Compose printed', text), directory: directoryOf(files), findings }
}

function nameOf(files: readonly string[]): string {
  return files.some(isPipe) ? 'that was piped' : files.join(', ') || 'of this folder'
}

function directoryOf([first]: readonly string[]): string {
  return first === undefined ? process.cwd() : dirname(resolve(first))
}

/** Throws COMPOSE_FILE_UNUSABLE. JSON is YAML too. */
async function parse(path: string, text: string): Promise<Data> {
  const { parseYaml } = await import('../../core/yaml.ts')
  const parsed = parseYaml(text)
  if ('data' in parsed) return asData(parsed.data)
  // After a colon the YAML parser quotes the text, which may be a secret.
  const reason = parsed.problems.map((problem) => problem.replace(/: .*(?= at line \d+, column \d+:?$)/, '')).join('; ')
  throw failure('COMPOSE_FILE_UNUSABLE', { path, reason })
}

const OVERRIDABLE = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']

/** The files that Compose would take, merged. */
async function readPlainly(files: readonly string[], env: NodeJS.ProcessEnv, why: string): Promise<Stack | undefined> {
  const paths = files.length > 0 ? files : await filesHere(env)
  if (paths.length === 0) return undefined
  await Promise.all(paths.map(refuseUnusable))
  const all = await Promise.all(paths.map(async (path) => parse(path, await readRegular(path))))
  const data = all.reduce((under, over) => asData(merge(under, over)))
  const findings = describeGaps(data, `${why}, so ${paths.join(', ')} is read as plain YAML`)
  return { data, directory: directoryOf(paths), findings }
}

/** The files that Compose takes by default: docs.docker.com/compose/how-tos/multiple-compose-files/merge/. */
async function filesHere({ COMPOSE_FILE, COMPOSE_PATH_SEPARATOR }: NodeJS.ProcessEnv): Promise<string[]> {
  if (COMPOSE_FILE) return COMPOSE_FILE.split(COMPOSE_PATH_SEPARATOR || delimiter)
  const isThere = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    )
  const firstOf = async (names: readonly string[]) => {
    for (const name of names) if (await isThere(join(process.cwd(), name))) return [name]
    return []
  }
  const base = await firstOf(OVERRIDABLE)
  const overrides = OVERRIDABLE.map((name) => name.replace('compose.', 'compose.override.'))
  return base.length === 0 ? [] : [...base, ...(await firstOf(overrides))]
}

/** As Compose merges: maps are merged, lists appended, and of other values the last one counts. */
function merge(under: unknown, over: unknown): unknown {
  if (Array.isArray(under) && Array.isArray(over)) return [...under, ...over]
  if (!isMap(under) || !isMap(over)) return over
  const merged = Object.entries(over).map(([key, value]) => [key, key in under ? merge(under[key], value) : value])
  return { ...under, ...Object.fromEntries(merged) }
}

function isMap(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A warning about what only Compose follows, where the text has any of it. */
function describeGaps(data: Data, how: string): Finding[] {
  const services = Object.entries(asData(data.services))
  const gaps = [
    ...(data.include === undefined ? [] : ['include']),
    ...['extends', 'env_file'].flatMap((key) =>
      services
        .filter(([, service]) => asList(asData(service)[key]).length > 0)
        .map(([name]) => `services.${name}.${key}`),
    ),
    ...(hasVariable(data) ? ['variables'] : []),
  ]
  if (gaps.length === 0) return [ok(CHECK, how)]
  return [warn(CHECK, `${how}: not followed are ${gaps.join(', ')}`, PIPE)]
}
