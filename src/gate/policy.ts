/**
 * The IAM policy of one service: members named in the settings, and the file that `gcloud run services
 * get-iam-policy SERVICE --format=json` prints, read again when it changes.
 */

import { readFileSync, statSync } from 'node:fs'
import { asFailure, failure, type SidemintError, withFix } from '../core/errors.ts'
import type { NoticeEvent } from '../core/events.ts'
import { createInvokers, type Invokers } from './members.ts'

/**
 * The predefined roles that hold `run.routes.invoke`: Google's list of Cloud Run and Cloud Functions roles and their
 * permissions (cloud.google.com/iam/docs/roles-permissions/run), and for the two basic roles
 * cloud.google.com/run/docs/securing/managing-access. What a custom role holds is not in a policy, so it gives nothing.
 */
const INVOKING_ROLES = new Set([
  'roles/run.invoker',
  'roles/run.servicesInvoker',
  'roles/run.developer',
  'roles/run.admin',
  'roles/run.sourceDeveloper',
  'roles/cloudfunctions.developer',
  'roles/cloudfunctions.admin',
  'roles/editor',
  'roles/owner',
])

/** The file is looked at once a second at most. */
const LOOK_MS = 1_000

export interface PolicyOptions {
  invokers: readonly string[]
  /** Path of the policy file. */
  file?: string
  groups?: Readonly<Record<string, readonly string[]>>
  /** Epoch ms. */
  now: () => number
  notice: (level: NoticeEvent['level'], code: string, text: string) => void
}

export interface Policy {
  /** Who may invoke now. Never throws: a file that breaks later leaves the last good policy in force, and says so. */
  current(): Invokers
}

/** Throws POLICY_UNUSABLE or MEMBER_UNUSABLE where the policy cannot be used from the start. */
export function createPolicy({ invokers, file, groups, now, notice }: PolicyOptions): Policy {
  let lookedAtMs = now()
  let seen = file === undefined ? '' : fingerprint(file)
  let policy = read()

  function read(): Invokers {
    const { members, customRoles } = file === undefined ? { members: [], customRoles: [] } : readFile(file)
    const all = createInvokers([...invokers, ...members], groups)
    for (const group of all.unknownGroups) {
      notice('warn', 'GROUP_UNKNOWN', `nobody is in group:${group}. Fix: say who with --group ${group}=MEMBER`)
    }
    for (const role of customRoles) {
      notice('warn', 'ROLE_UNKNOWN', `${role} admits nobody here: a policy does not say what a custom role holds`)
    }
    return all
  }

  function reread(path: string): void {
    const mark = fingerprint(path)
    if (mark === seen) return
    seen = mark
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
      if (file !== undefined && Math.abs(now() - lookedAtMs) >= LOOK_MS) {
        lookedAtMs = now()
        reread(file)
      }
      return policy
    },
  }
}

/** What changes when the file does, a replaced one too; empty where it cannot be seen. */
function fingerprint(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true })
    return `${dev} ${ino} ${size} ${mtimeNs}`
  } catch {
    return ''
  }
}

function readFile(path: string): { members: string[]; customRoles: string[] } {
  const { bindings = [] } = parse(path) as { bindings?: unknown }
  if (!Array.isArray(bindings)) throw unusable(path, '`bindings` is no list')
  const found = { members: [] as string[], customRoles: [] as string[] }
  for (const binding of bindings) {
    const { role, members, condition } = (binding ?? {}) as Record<string, unknown>
    if (typeof role !== 'string') throw unusable(path, 'a binding has no role')
    if (!role.startsWith('roles/')) found.customRoles.push(role)
    if (!INVOKING_ROLES.has(role)) continue
    if (condition !== undefined && condition !== null) {
      throw unusable(path, `its binding of ${role} has an IAM condition, which cannot be evaluated here`)
    }
    if (!Array.isArray(members) || members.some((member) => typeof member !== 'string')) {
      throw unusable(path, `its binding of ${role} has no list of members`)
    }
    found.members.push(...(members as string[]))
  }
  return found
}

function parse(path: string): object {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw unusable(path, (error as NodeJS.ErrnoException).code ?? 'it is no JSON')
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw unusable(path, 'it is no JSON object')
  return json
}

function unusable(path: string, reason: string): SidemintError {
  return failure('POLICY_UNUSABLE', { path, reason })
}
