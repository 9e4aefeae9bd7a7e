/** The settings file that a sidemint of the stack mounts from this host. */

import { access } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, posix, resolve } from 'node:path'
import { type Layers, settle } from '../../config/layers.ts'
import type { Settings } from '../../config/settings.ts'
import { asFailure } from '../../core/errors.ts'
import { parseYaml } from '../../core/yaml.ts'
import { type Finding, fail, failed } from '../finding.ts'
import { readRegular } from '../regular.ts'
import type { Service } from './project.ts'
import { isDescribedByFlags, isWithin, runsElsewhere, runsOurImage } from './roles.ts'
import { hasVariable } from './shapes.ts'

/** Of the image. */
const WORKING_DIRECTORY = '/etc/sidemint'

export interface Mounted {
  /** On this host; undefined where it is in a volume, or in the compose file itself, and not read. */
  path: string | undefined
  /** Undefined where the file cannot be used, which a finding says, or is not read. */
  settings?: Settings
  findings: Finding[]
}

/**
 * Undefined where the service reads no file, or none that can be found from here. A container of the image has no other
 * file than the one that is mounted into it. `folders`: where a file that is not mounted may lie, the stack's own first.
 */
export async function readMounted(
  service: Service,
  folders: readonly string[],
  { SIDEMINT_IMAGE }: NodeJS.ProcessEnv,
): Promise<Mounted | undefined> {
  const named = namedPath(service)
  const inside = placeInside(service, named ?? 'sidemint.yaml')
  if (inside === undefined) return undefined
  const mount = service.mounts.filter(({ target }) => isWithin(inside, target)).toSorted(byDepth)[0]
  if (mount === undefined && service.isPartial) return undefined
  if (mount === undefined) return unmounted(service, inside, named !== undefined, folders)
  if (!isAbsolute(mount.source)) return { path: undefined, findings: [] }
  const path = SIDEMINT_IMAGE === 'true' ? inside : join(mount.source, posix.relative(mount.target, inside))
  const check = basename(inside)
  let text: string
  try {
    text = await readRegular(path)
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && named === undefined && needsNone(service)) return undefined
    const what = `${service.name} takes its settings from ${path}, which cannot be read (${code})`
    return { path, findings: [fail(check, what, mountLine(inside))] }
  }
  try {
    const parsed = parseYaml(text)
    if ('data' in parsed) return { path, settings: settleIn(service, { path, data: parsed.data }), findings: [] }
    return { path, findings: parsed.problems.map((problem) => fail(check, `${path}: ${problem}`, `correct ${path}`)) }
  } catch (error) {
    return { path, findings: [failed(check, asFailure(error))] }
  }
}

/** The mount may be there for something else. */
function needsNone(service: Service): boolean {
  return runsElsewhere(service) || isDescribedByFlags(service)
}

/** With the defaults of where it is read. Throws SETTINGS_INVALID. */
function settleIn(service: Service, file: NonNullable<Layers['file']>): Settings {
  const env = runsOurImage(service) ? { SIDEMINT_IMAGE: 'true' } : {}
  return settle({ file, env }, [], { taker: 'serve' })
}

function byDepth(a: { target: string }, b: { target: string }): number {
  return b.target.length - a.target.length
}

/**
 * A settings file beside the compose file is probably meant to be mounted; so is one that the service names. An image that
 * is built here may contain either.
 */
async function unmounted(
  service: Service,
  inside: string,
  isNamed: boolean,
  folders: readonly string[],
): Promise<Mounted | undefined> {
  const { name, context, mounts } = service
  const [directory = ''] = folders
  if (await isBuiltIn(service, basename(inside), directory)) return undefined
  const beside = await findFile(basename(inside), [...folders, ...mounts.map(({ source }) => source)])
  if (beside === undefined && (!isNamed || context !== '')) return undefined
  const what = beside
    ? `${beside} is not mounted into ${name}, which looks for ${inside}`
    : `${name} should read ${inside}, and nothing is mounted there`
  return {
    path: beside ?? inside,
    findings: [fail(basename(inside), what, mountLine(inside))],
  }
}

/** Whether the service's Dockerfile copies a file of this name, the whole context, or something to where settings are read. */
async function isBuiltIn({ context, dockerfile }: Service, file: string, directory: string): Promise<boolean> {
  if (context === '') return false
  const text = await readRegular(resolve(directory, context, dockerfile)).catch(() => '')
  return [...text.replaceAll('\\\n', ' ').matchAll(/^\s*(?:COPY|ADD)\s(.+)$/gim)].some(([, copied = '']) => {
    const places = copied.split(/[\s",[\]]+/).filter((word) => word !== '' && !word.startsWith('--'))
    const isWhole = places.slice(0, -1).some((place) => /^\.\/?$/.test(place) || basename(place) === file)
    return isWhole || isWithin(places.at(-1) ?? '', WORKING_DIRECTORY)
  })
}

/** In one of the folders, of which one may be mounted at another place. */
async function findFile(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders.filter(isAbsolute)) {
    const path = join(folder, name)
    if (await readable(path)) return path
  }
  return undefined
}

const readable = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

function mountLine(inside: string): string {
  return `volumes: ["./DIRECTORY:${dirname(inside)}:ro"], the directory in which ${basename(inside)} lies`
}

/** Undefined where it is not known: the path has a variable, or begins where the image of another program says. */
function placeInside(service: Service, path: string): string | undefined {
  const { workingDirectory } = service
  const start = workingDirectory || (runsElsewhere(service) ? undefined : WORKING_DIRECTORY)
  if (hasVariable(path)) return undefined
  return start === undefined && !posix.isAbsolute(path) ? undefined : posix.resolve(start ?? '/', path)
}

function namedPath({ entrypoint, command, environment }: Service): string | undefined {
  const words = [...entrypoint, ...command]
  const flag = words.find((word) => word.startsWith('--config='))?.slice('--config='.length)
  const after = words.indexOf('--config')
  return flag ?? (after < 0 ? undefined : words[after + 1]) ?? (environment.SIDEMINT_CONFIG || undefined)
}
