/** The claim `google.compute_engine` of a VM's full ID tokens (docs/wire.md, "Claims"), from its tree, so that both name the same machine. */

import type { InstanceClaim } from '../core/token.ts'
import { type Directory, isDirectory, resolve, toText } from './tree.ts'

/** 2026-01-01: the same at every start, or a receiver that remembers machines would see a new one each time. */
const CREATED_AT_SECONDS = 1_767_225_600

/** `tree`: the directory that has `instance` and `project`. */
export function describeInstance(tree: Directory, withLicenses: boolean): InstanceClaim {
  const text = (...path: string[]): string | undefined => {
    const node = resolve(tree, path)
    return node === undefined || isDirectory(node) || typeof node === 'function' ? undefined : toText(node)
  }
  const licenses = resolve(tree, ['instance', 'licenses'])
  const licenseIds = Object.keys(licenses ?? {}).flatMap((index) => text('instance', 'licenses', index, 'id') ?? [])
  const number = text('project', 'numeric-project-id')
  return {
    project_id: text('project', 'project-id'),
    project_number: number === undefined ? undefined : Number(number),
    zone: text('instance', 'zone')?.replace(/^.*\//, ''),
    instance_id: text('instance', 'id'),
    instance_name: text('instance', 'name'),
    instance_creation_timestamp: CREATED_AT_SECONDS,
    license_id: withLicenses ? licenseIds : undefined,
  }
}
