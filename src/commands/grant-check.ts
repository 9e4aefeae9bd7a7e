/** Compares the grants that a run needed with those of a policy or a settings file, both read as a gate reads them. */

import { basename, extname } from 'node:path'
import { settle } from '../config/layers.ts'
import { asFailure, asProblem } from '../core/errors.ts'
import { plainly } from '../core/schemas.ts'
import { readFileOrPipe, takeSnapshot } from '../core/snapshot.ts'
import { readYaml } from '../core/yaml.ts'
import { admits, createInvokers } from '../gate/members.ts'
import { type GateOptions, gatesOf } from '../gate/options.ts'
import { isPolicy, readPolicyFile } from '../gate/policy-file.ts'
import type { Needed } from '../inspector/grant-text.ts'
import { misuse } from './arguments.ts'

/** Whom a file lets invoke a service. */
interface Listed {
  /** Absent for a gate that takes every host. */
  service?: string | undefined
  members: readonly string[]
  groups: GateOptions['groups']
}

export interface Difference {
  missing: Needed[]
  /** Grants of the file that no call needed. */
  unused: Needed[]
  /** Groups of the file whose members it does not say. */
  unknownGroups: string[]
}

const { read } = takeSnapshot(readFileOrPipe)

/** `service`: whose policy the file is. Throws SETTINGS_INVALID for a file that cannot be used. */
export function compareWith(path: string, needed: readonly Needed[], service: string | undefined): Difference {
  const { listed, asked } = readListed(path, needed, service)
  const isOf = (of: Listed, one: Needed) => of.service === undefined || of.service === one.service
  const unknown = new Set(listed.flatMap(unknownGroupsOf))
  return {
    missing: asked.filter((one) => !listed.some((of) => isOf(of, one) && covers(of.members, of, one))),
    unused: listed.flatMap((of) => {
      const own = asked.filter((one) => isOf(of, one))
      const unused = of.members.filter(
        (member) => !unknown.has(member) && !own.some((one) => covers([member], of, one)),
      )
      return unused.map((member) => ({ service: of.service ?? 'every service', member }))
    }),
    unknownGroups: [...unknown],
  }
}

function unknownGroupsOf({ members, groups }: Listed): string[] {
  return members.filter((member) => createInvokers([member], groups).unknownGroups.size > 0)
}

function covers(members: readonly string[], { groups }: Listed, { member }: Needed): boolean {
  const invokers = createInvokers(members, groups)
  if (member === 'allUsers') return invokers.everyone
  return admits(invokers, { email: member.slice(member.indexOf(':') + 1).toLowerCase() })
}

/** What the file says, and the grants that it would have to hold. */
function readListed(
  path: string,
  needed: readonly Needed[],
  service: string | undefined,
): { listed: Listed[]; asked: readonly Needed[] } {
  try {
    const data = parse(path)
    if (isPolicy(data)) {
      const owner = service ?? ownerOf(path, needed)
      const listed = [{ service: owner, members: membersOf(path), groups: {} }]
      return { listed, asked: needed.filter((one) => one.service === owner) }
    }
    return {
      listed: ofSettings(path, data).filter((of) => service === undefined || of.service === service),
      asked: needed,
    }
  } catch (error) {
    const problem = asFailure(error)
    throw problem.code === 'SETTINGS_INVALID' ? problem : misuse(`--check: ${asProblem(problem)}`)
  }
}

function ofSettings(path: string, data: unknown): Listed[] {
  const { gates } = (data ?? {}) as Record<string, unknown>
  // What `grants --format sidemint` prints leaves out where a gate leads to.
  const whole = Array.isArray(gates) ? { ...(data as object), gates: gates.map(withUpstream) } : data
  const found = gatesOf(settle({ file: { path, data: whole } }))
  if (found.length === 0) throw misuse(`--check: ${plainly(path)} holds neither a policy nor gates`)
  return found.map((gate) => ({
    service: gate.host,
    members: [...gate.invokers, ...membersOf(gate.policy)],
    groups: gate.groups,
  }))
}

function withUpstream(gate: unknown): unknown {
  return typeof gate === 'object' && gate !== null ? { upstream: 'http://127.0.0.1', ...gate } : gate
}

function membersOf(policy: string | undefined): readonly string[] {
  return policy === undefined ? [] : readPolicyFile(policy, '`invoker:`', read).members
}

function parse(path: string): unknown {
  try {
    return readYaml(read(path))
  } catch (error) {
    throw misuse(`--check: ${plainly(path)}: ${(error as Error).message}`)
  }
}

/** The service that the file is named after, or the only one that was called. */
function ownerOf(path: string, needed: readonly Needed[]): string {
  const services = [...new Set(needed.map((one) => one.service))]
  const name = basename(path, extname(path))
  const owner = services.find((one) => one === name) ?? (services.length < 2 ? (services[0] ?? name) : undefined)
  if (owner !== undefined) return owner
  throw misuse(`--service: say whose policy ${plainly(path)} is: ${services.join(', ')}`)
}
