/** Who may invoke one service: the members in the settings, and those of its policy file. */

import { withFix } from '../core/errors.ts'
import type { Notice } from '../core/events.ts'
import { createInvokers, type Invokers } from './members.ts'
import type { Spelling } from './origin.ts'
import type { PolicyFile } from './policy-file.ts'

export interface PolicyOptions {
  invokers: readonly string[]
  /** The policy file and what reads it. */
  file?: { path: string; read: (path: string, setting: string) => PolicyFile }
  groups?: Readonly<Record<string, readonly string[]>>
  spell: Spelling
  notice: Notice
}

/** Throws POLICY_UNUSABLE. */
export function createPolicy({ invokers, file, groups, spell, notice }: PolicyOptions): Invokers {
  const { members, ignored } = file?.read(file.path, spell('invoker')) ?? { members: [], ignored: [] }
  const all = createInvokers([...invokers, ...members], groups)
  for (const group of all.unknownGroups) {
    notice(
      'warn',
      'GROUP_UNKNOWN',
      `nobody is in group:${group}. Fix: say who with ${group}=MEMBER in ${spell('group')}`,
    )
  }
  for (const text of ignored) {
    const fix = `give its members roles/run.invoker, or name them in ${spell('invoker')}`
    notice('warn', 'ROLE_UNKNOWN', withFix({ message: text, fix }))
  }
  if (all.unnamable.size > 0) {
    const members = [...all.unnamable].join(', ')
    notice('warn', 'MEMBER_IGNORED', `nobody is admitted as ${members}: no ID token of Google's can speak for that`)
  }
  return all
}
