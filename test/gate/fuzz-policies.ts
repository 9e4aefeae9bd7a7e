/**
 * IAM policies by a seed, as gcloud prints them and nearly so, in JSON and YAML and in the encodings of shells: the gate
 * admits exactly whom an invoking binding names, the same from each form, or refuses the whole file.
 */

import type { ExecutionContext } from 'ava'
import { stringify } from 'yaml'
import { asFailure, SidemintError } from '../../src/core/errors.ts'
import { createInvokers, type Invokers } from '../../src/gate/members.ts'
import { readPolicyFile } from '../../src/gate/policy-file.ts'
import { createRandom, PIECES } from '../random.ts'

const INVOKING = [
  ...['run.invoker', 'run.servicesInvoker', 'run.developer', 'run.admin', 'run.sourceDeveloper'],
  ...['cloudfunctions.developer', 'cloudfunctions.admin', 'editor', 'owner'],
].map((name) => `roles/${name}`)
const OTHERS = [
  ...['run.viewer', 'viewer', 'cloudfunctions.invoker', 'iam.serviceAccountTokenCreator', 'run.Invoker'],
  ...['run.invoker ', ' run.invoker', 'run.invokers', ''],
]
  .map((name) => `roles/${name}`)
  .concat('projects/p/roles/invoker', 'run.invoker', '__proto__')

type Admits = { everyone?: true; authenticated?: true; emails?: string[]; domains?: string[] }
/** A member, and whom it admits; undefined: the file is refused for it. */
const MEMBERS: readonly [unknown, Admits | undefined][] = [
  ['allUsers', { everyone: true }],
  ['allAuthenticatedUsers', { authenticated: true }],
  ['user:ann@acme.com', { emails: ['ann@acme.com'] }],
  ['user:Bob@Acme.com', { emails: ['bob@acme.com'] }],
  ['serviceAccount:orders@p.iam.gserviceaccount.com', { emails: ['orders@p.iam.gserviceaccount.com'] }],
  ['domain:Example.com', { domains: ['example.com'] }],
  ['group:eng@acme.com', {}],
  ['deleted:user:eve@acme.com?uid=1', {}],
  ['deleted:serviceAccount:old@p.iam.gserviceaccount.com?uid=1', {}],
  ['principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s', {}],
  ['principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*', {}],
  ['serviceAccount:acme.svc.id.goog[ns/ksa]', {}],
  ['user:orders@p.iam.gserviceaccount.com', undefined],
  ['ann@acme.com', undefined],
  ['allusers', undefined],
  ['user:', undefined],
  ['user:a b@acme.com', undefined],
  ['domain:acme', undefined],
  ['robot:a@acme.com', undefined],
  ['', undefined],
  [null, undefined],
  [7, undefined],
  [['allUsers'], undefined],
]

interface Binding {
  data: unknown
  /** Whom it admits; undefined: the file is refused for it. */
  admits: Admits | undefined
}

/** Reads `cases` policies in each form, and as many that were damaged. */
export function fuzzPolicies(t: ExecutionContext, seed: number, cases: number): void {
  const random = createRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  const one = <T>(list: readonly T[]) => list[below(list.length)] as T

  function binding(): Binding {
    const invokes = random() < 0.6
    const role = one(invokes ? INVOKING : OTHERS)
    const members = Array.from({ length: below(4) }, () => one(random() < 0.97 ? MEMBERS.slice(0, 12) : MEMBERS))
    const data: Record<string, unknown> = { role, members: members.map(([member]) => member) }
    const admitted = members.map(([, admits]) => admits)
    const chance = random()
    if (chance < 0.03) data.condition = { title: 'now', expression: 'request.time < timestamp("2027-01-01T00:00:00Z")' }
    else if (chance < 0.06) data.role = `${role}_withcond_0123456789abcdef0123`
    else if (chance < 0.08) data.members = one([undefined, 'allUsers', { 0: 'allUsers' }, 7])
    else if (chance < 0.1) data.condition = null
    else if (chance < 0.11)
      return { data: one([null, 'roles/run.invoker', {}, { members: ['allUsers'] }]), admits: undefined }
    if (!invokes) return { data, admits: {} }
    return { data, admits: chance < 0.08 ? undefined : admitted.includes(undefined) ? undefined : union(admitted) }
  }

  for (let done = 0; done < cases; done += 1) {
    const bindings = Array.from({ length: below(4) }, binding)
    const data = { bindings: bindings.map((each) => each.data), etag: 'BwUjMhCsNvY=', version: one([1, 3]) }
    const admits = bindings.map((each) => each.admits)
    const expected = admits.includes(undefined) ? 'refused' : described(union(admits))
    const json = JSON.stringify(data, undefined, one([0, 2]))
    const yaml = stringify(data)
    for (const text of [json, yaml]) {
      const bytes = one([Buffer.from(text), Buffer.from(`\uFEFF${text}`), Buffer.from(`\uFEFF${text}`, 'utf16le')])
      t.is(outcomeOf(bytes), expected, `seed ${seed}, policy ${done}: ${text}`)
    }
    let damaged = one([json, yaml])
    for (let left = below(4); left >= 0; left -= 1) {
      const at = below(damaged.length + 1)
      damaged = `${damaged.slice(0, at)}${one(PIECES)}${damaged.slice(at + below(6))}`
    }
    t.notThrows(() => outcomeOf(Buffer.from(damaged)), `seed ${seed}, policy ${done}: ${JSON.stringify(damaged)}`)
  }
}

/** Throws what is not a refusal of ours. */
function outcomeOf(bytes: Buffer): string {
  try {
    const { members } = readPolicyFile('policy.json', '--invoker', () => bytes)
    return described(createInvokers(members))
  } catch (error) {
    if (error instanceof SidemintError && asFailure(error).code === 'POLICY_UNUSABLE') return 'refused'
    throw error
  }
}

function union(all: readonly (Admits | undefined)[]): Admits {
  const given = all.filter((one) => one !== undefined)
  return {
    ...(given.some(({ everyone }) => everyone) ? { everyone: true } : {}),
    ...(given.some(({ authenticated }) => authenticated) ? { authenticated: true } : {}),
    emails: given.flatMap(({ emails = [] }) => emails),
    domains: given.flatMap(({ domains = [] }) => domains),
  }
}

function described({ everyone = false, authenticated = false, emails = [], domains = [] }: Admits | Invokers): string {
  const names = (list: Iterable<string>) => [...new Set(list)].sort().join(' ')
  return `everyone ${everyone}, authenticated ${authenticated}, ${names(emails)}, ${names(domains)}`
}
