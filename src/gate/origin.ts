/** What depends on where a gate's setting was written: on the command line, or in the settings file. */

import { isAbsolute, join } from 'node:path'
import type { GateOptions } from './options.ts'
import type { GATE_SETTINGS } from './settings.ts'

/** Spells a gate's setting as it was written: as a key in an entry of `gates:`, else as a flag. */
export type Spelling = (name: keyof typeof GATE_SETTINGS) => string

export function spellingOf({ host, shared = [] }: Pick<GateOptions, 'host' | 'shared'>): Spelling {
  return (name) => {
    if (host === undefined) return `--${name}`
    return shared.includes(name) ? `\`${name}:\` beside \`gates:\`` : `\`${name}:\` of ${host} under \`gates:\``
  }
}

/** Where a gate's setting is written as a whole line. */
export function lineOf({ host, shared = [] }: Pick<GateOptions, 'host' | 'shared'>): Spelling {
  return (name) => {
    if (host === undefined) return 'on the command line'
    return shared.includes(name) ? 'beside `gates:`' : `in the entry of ${host} under \`gates:\``
  }
}

interface WithPolicy {
  policy?: string | undefined
}

/** The file's settings, with each relative `policy:` as a path from the file's folder. */
export function policiesBeside<T extends WithPolicy & { gates?: readonly WithPolicy[] }>(folder: string, said: T): T {
  const { policy, gates } = said
  return {
    ...said,
    ...(policy === undefined || isAbsolute(policy) ? {} : { policy: join(folder, policy) }),
    ...(gates === undefined ? {} : { gates: gates.map((gate) => policiesBeside(folder, gate)) }),
  }
}
