/** What follows from where a gate's setting was written: on the command line, or in a settings file. */

import { isAbsolute, join } from 'node:path'
import type { GATE_SETTINGS, GateOptions } from './settings.ts'

/** How a setting of a gate is spelled where it was written: for all that is not an entry of `gates:`, as a flag. */
export type Spelling = (name: keyof typeof GATE_SETTINGS) => string

export function spellingOf({ host }: Pick<GateOptions, 'host'>): Spelling {
  return (name) => (host === undefined ? `--${name}` : `\`${name}:\` of ${host} under \`gates:\``)
}

/** A relative `policy:` of a settings file is beside that file. */
export function policyBeside(folder: string, name: string, value: unknown): unknown {
  const beside = (path: unknown) =>
    typeof path === 'string' && path !== '' && !isAbsolute(path) ? join(folder, path) : path
  if (name === 'policy') return beside(value)
  if (name !== 'gates' || !Array.isArray(value)) return value
  return value.map((gate) => (gate?.policy === undefined ? gate : { ...gate, policy: beside(gate.policy) }))
}
