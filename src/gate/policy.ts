/** Who may invoke one service: the members in the settings, and those of its policy file, which is read again on change. */

import { asFailure, withFix } from '../core/errors.ts'
import type { NoticeEvent } from '../core/events.ts'
import { createWatchedFile } from '../core/watched-file.ts'
import { createInvokers, type Invokers } from './members.ts'
import type { Spelling } from './origin.ts'
import type { PolicyFile } from './policy-file.ts'

export interface PolicyOptions {
  invokers: readonly string[]
  /** The policy file and what reads it. */
  file?: { path: string; read: (path: string, setting: string) => PolicyFile }
  groups?: Readonly<Record<string, readonly string[]>>
  spell: Spelling
  /** Epoch ms. */
  now: () => number
  notice: (level: NoticeEvent['level'], code: string, text: string) => void
}

export interface Policy {
  /** Who may invoke now. Never throws: where the file breaks later, the last good policy stays and a notice says so. */
  current(): Invokers
}

/** Throws POLICY_UNUSABLE where the policy cannot be used at the start. */
export function createPolicy({ invokers, file, groups, spell, now, notice }: PolicyOptions): Policy {
  const watched = createWatchedFile(file?.path ?? [], now)
  let seen = watched.version()
  let policy = read()

  function read(): Invokers {
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

  function reread(path: string): void {
    try {
      policy = read()
      notice('info', 'POLICY_READ', `the policy ${path} was read again`)
    } catch (error) {
      const { code, message, fix } = asFailure(error)
      notice('error', code, withFix({ message: `${message}; the last good policy stays in force`, fix }))
    }
  }

  return {
    current() {
      const version = watched.version()
      if (file !== undefined && version !== seen) {
        seen = version
        reread(file.path)
      }
      return policy
    },
  }
}
