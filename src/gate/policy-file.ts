/** The IAM policy of a service in a file, as `gcloud run services get-iam-policy SERVICE` prints it. */

import { failure, type SidemintError } from '../core/errors.ts'
import type { ReadFile } from '../core/snapshot.ts'
import { readYaml } from '../core/yaml.ts'
import { whyUnusable } from './members.ts'

/**
 * The predefined roles with `run.routes.invoke` (docs/gate.md, "Who may invoke"). A policy does not say what a custom role
 * contains, so a custom role admits nobody.
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

/** Has only `cloudfunctions.functions.invoke`, which is for functions of the first generation. */
const FUNCTIONS_INVOKER = 'roles/cloudfunctions.invoker'

/** A policy of IAM has at most 1,500 principals (cloud.google.com/iam/quotas): a third of this. */
const MOST_BYTES = 1_000_000

export interface PolicyFile {
  /** Members of roles that may invoke. */
  members: string[]
  /** Why roles that look as if they may invoke admit nobody here. */
  ignored: string[]
}

/** `setting`: how the setting that names invokers is spelled. Throws POLICY_UNUSABLE. */
export function readPolicyFile(path: string, setting: string, readFile: ReadFile): PolicyFile {
  const { bindings = [] } = parse(path, readFile)
  if (!Array.isArray(bindings)) throw unusable(path, '`bindings` is not a list')
  const found: PolicyFile = { members: [], ignored: [] }
  for (const binding of bindings) {
    const { role, members, condition } = (binding ?? {}) as Record<string, unknown>
    if (typeof role !== 'string') throw unusable(path, 'a binding has no role')
    // How policies of version 1 show a condition (docs/gate.md, "Who may invoke").
    const plain = role.replace(/_withcond_.*/s, '')
    const reason = whyIgnored(role)
    if (reason !== undefined) found.ignored.push(reason)
    if (!INVOKING_ROLES.has(plain)) continue
    if (plain !== role || (condition !== undefined && condition !== null)) {
      throw unusable(
        path,
        `its binding of ${role} has an IAM condition, which cannot be evaluated here`,
        `take that binding out of the file, and name whom it should admit in ${setting}`,
      )
    }
    if (!Array.isArray(members) || members.some((member) => typeof member !== 'string')) {
      throw unusable(path, `its binding of ${role} has no list of members`)
    }
    for (const member of members as string[]) {
      const wrong = whyUnusable(member)
      if (wrong !== undefined) {
        throw unusable(path, `in its binding of ${role}, ${wrong.message}`, `${wrong.fix} there`)
      }
      found.members.push(member)
    }
  }
  return found
}

function whyIgnored(role: string): string | undefined {
  if (role === FUNCTIONS_INVOKER) {
    return `${role} admits nobody here: it is for functions of the first generation`
  }
  return role.startsWith('roles/')
    ? undefined
    : `${role} admits nobody here: a policy does not say what a custom role holds`
}

/** Whether data looks like a policy: an empty one may have no bindings. */
export function isPolicy(data: unknown): boolean {
  return typeof data === 'object' && data !== null && ['bindings', 'etag', 'version'].some((key) => key in data)
}

function parse(path: string, readFile: ReadFile): Record<string, unknown> {
  const data = readData(path, readBytes(path, readFile))
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw unusable(path, 'it is not an object')
  const policy = data as Record<string, unknown>
  if (!isPolicy(policy)) throw unusable(path, whatElse(policy))
  return policy
}

function readBytes(path: string, readFile: ReadFile): Buffer {
  let bytes: Buffer
  try {
    bytes = readFile(path)
  } catch (error) {
    throw unusable(path, `it cannot be read (${(error as Error).message})`)
  }
  if (bytes.length > MOST_BYTES) throw unusable(path, `it has ${bytes.length} bytes, more than a policy can have`)
  return bytes
}

/** UTF-8, or UTF-16 as PowerShell 5 writes it; both may begin with a byte order mark (docs/gate.md, "Who may invoke"). */
function readData(path: string, bytes: Buffer): unknown {
  try {
    return readYaml(bytes)
  } catch (error) {
    throw unusable(path, (error as Error).message)
  }
}

/** What the file is instead of a policy. */
function whatElse(data: Record<string, unknown>): string {
  const keys = Object.keys(data)
  if ('terraform_version' in data || 'planned_values' in data || 'format_version' in data) {
    return 'it is a plan or state of Terraform, not the policy of a service'
  }
  if ('kind' in data || 'template' in data) return 'it describes a service and holds no policy'
  const inner = keys.find((key) => typeof data[key] === 'object' && data[key] !== null && 'bindings' in data[key])
  if (inner !== undefined) return `it holds its policy under \`${inner}\`, and the file has to be the policy itself`
  return `it has neither bindings nor etag nor version, but ${keys.slice(0, 5).join(', ') || 'nothing'}`
}

function unusable(path: string, reason: string, fix?: string): SidemintError {
  return failure('POLICY_UNUSABLE', { path, reason }, { fix })
}
