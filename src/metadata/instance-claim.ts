/** What a VM's full ID tokens say of it, in the words of its tree, so that nobody reads two names for one machine. */

import type { InstanceClaim } from '../core/token.ts'
import { type Directory, isDirectory, resolve, toText } from './tree.ts'

/** 2026-01-01: the same at every start, or a receiver that remembers machines would see a new one each time. */
const CREATED_AT_SECONDS = 1_767_225_600

/** `tree`: from `instance/` and `project/` down. */
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
