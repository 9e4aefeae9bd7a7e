/** The gate's part of the settings table, and the gates that it amounts to. */

import * as v from 'valibot'
import { EMAIL, isEmail } from '../core/accounts.ts'
import { METADATA_URL } from '../core/google.ts'
import { hostName } from '../core/host.ts'
import {
  holds,
  isWebUrl,
  listOf,
  objectOf,
  oneOf,
  path,
  settingsTable,
  sound,
  text,
  url,
  whole,
  yesOrNo,
} from '../core/schemas.ts'
import { MEMBER, whyNotInGroup, whyUnusable } from './members.ts'

const member = v.pipe(text, sound(whyUnusable, { pattern: `^(?:${MEMBER})$` }))
const groupMember = v.pipe(
  text,
  sound(
    (pair) => {
      const [name, one] = splitPair(pair)
      return isEmail(name) && one !== '' ? whyNotInGroup(name, one) : 'must be GROUP=MEMBER'
    },
    { pattern: `^${EMAIL}=(?!all)(?:${MEMBER})$` },
  ),
)
const subject = v.pipe(text, v.regex(new RegExp(`^[^\\s=]+=${EMAIL}$`), 'must be SUB=EMAIL'))
const TRUST = 'must be google or the URL of an issuer'
const trusted = v.pipe(
  v.string(TRUST),
  holds((value) => value === 'google' || isWebUrl(value), TRUST, { pattern: '^(?:google|https?://[^\\s/]+.*)$' }),
)
const hostOnly = v.pipe(text, v.regex(/^[^\s/:*]+$/, 'must be a name without scheme and port'))

const trust = listOf(trusted)
const group = listOf(groupMember)
const subjects = listOf(subject)
const strip = oneOf('both', 'serverless-only', 'never')
const mode = oneOf('enforce', 'report')

const entry = objectOf({
  host: hostOnly,
  port: v.optional(whole(1, 65535)),
  upstream: url,
  audience: v.optional(listOf(text), []),
  invoker: v.optional(listOf(member), []),
  policy: v.optional(path),
  // What an entry does not say of these is said by the setting of that name.
  trust: v.exactOptional(trust),
  group: v.exactOptional(group),
  subject: v.exactOptional(subjects),
  strip: v.exactOptional(strip),
  mode: v.exactOptional(mode),
  gcloudAudiences: v.exactOptional(yesOrNo),
})

export const GATE_SETTINGS = settingsTable({
  upstream: { kind: 'text', value: 'URL', schema: url, help: 'the service behind the gate', takenBy: ['gate'] },
  audience: {
    kind: 'list',
    value: 'URL',
    schema: listOf(text),
    help: 'what its tokens are for: a run.app URL by its origin, others exactly',
    takenBy: ['gate'],
    default: [],
  },
  invoker: {
    kind: 'list',
    value: 'MEMBER',
    schema: listOf(member),
    help: 'who may call: user:, serviceAccount:, group:, domain:, allUsers, allAuthenticatedUsers',
    takenBy: ['gate'],
    default: [],
  },
  policy: {
    kind: 'text',
    value: 'FILE',
    schema: path,
    help: 'who may call, as `gcloud run services get-iam-policy` prints it (JSON or YAML); read again on change',
    takenBy: ['gate'],
  },
  trust: {
    kind: 'list',
    value: 'google|URL',
    schema: trust,
    help: `whose tokens are taken (default: google, ${METADATA_URL})`,
    takenBy: ['gate'],
    default: ['google', METADATA_URL],
  },
  group: {
    kind: 'list',
    value: 'GROUP=MEMBER',
    schema: group,
    help: 'who is in a group',
    takenBy: ['gate'],
    default: [],
  },
  subject: {
    kind: 'list',
    value: 'SUB=EMAIL',
    schema: subjects,
    help: 'whose subject this is, for tokens without an email of the first in --trust',
    takenBy: ['gate'],
    default: [],
  },
  strip: {
    kind: 'text',
    value: 'WHERE',
    schema: strip,
    help: "where the token's signature is removed: both, serverless-only or never",
    takenBy: ['gate'],
    default: 'both',
  },
  mode: {
    kind: 'text',
    value: 'MODE',
    schema: mode,
    help: 'enforce, or report: log and let pass',
    takenBy: ['gate'],
    default: 'enforce',
  },
  gcloudAudiences: {
    kind: 'boolean',
    schema: yesOrNo,
    help: "take tokens with gcloud's own audience, as Cloud Run does (on; --no-gcloud-audiences)",
    takenBy: ['gate'],
    default: true,
  },
  adminPort: {
    kind: 'number',
    value: 'N',
    schema: whole(0, 65535),
    help: 'health and metrics, on loopback; no path is taken from the service',
    takenBy: ['gate'],
    default: 8081,
  },
  gates: {
    kind: 'tree',
    schema: listOf(entry),
    help: 'several gates in one process, chosen by Host',
    takenBy: ['gate'],
    default: [],
  },
})

type Table = typeof GATE_SETTINGS
type Chosen = { [N in keyof Table]?: v.InferOutput<Table[N]['schema']> }

type Defaulted = {
  [N in keyof Table]: Table[N] extends { default: unknown } ? N : never
}[keyof Table]

export type GateSettings = Readonly<Chosen & Required<Pick<Chosen, Defaulted>> & { port: number }>

/** One gate before one service. */
export interface GateOptions {
  /** The name that callers use, in lower case. Absent: whatever they ask for. */
  host?: string
  /** The listener for it. Absent: the one that all gates without a port share. */
  port?: number
  /** Base URL of the service. */
  upstream: string
  audiences: readonly string[]
  /** Members in IAM's words. */
  invokers: readonly string[]
  /** Path of a policy file, beside the invokers. */
  policy?: string
  /** Members by group email. */
  groups: Readonly<Record<string, readonly string[]>>
  /** Email by subject. */
  subjects: Readonly<Record<string, string>>
  /** Where the signature is taken off the token. */
  strip: GateSettings['strip']
  /** `report` refuses nothing and logs what it would have refused. */
  mode: GateSettings['mode']
  /** `google` or issuer URLs. */
  trust: readonly string[]
  /** Whether tokens with gcloud's own audiences are taken. */
  gcloudAudiences: boolean
}

/** What is missing, or cannot be said together. */
export function checkGates({ upstream, audience, invoker, policy, port, gates }: GateSettings): string[] {
  if (gates.length === 0 && upstream === undefined) {
    return ['--upstream: name the service behind the gate, or list several under `gates:` in sidemint.yaml']
  }
  const problems = upstream === undefined ? [] : checkOne('', { audience, invoker, policy })
  if (gates.length > 0 && (upstream ?? policy ?? audience[0] ?? invoker[0]) !== undefined) {
    problems.push(
      '--upstream, --audience, --invoker and --policy are for one gate: with `gates:` each entry has its own',
    )
  }
  for (const [index, gate] of gates.entries()) problems.push(...checkOne(`gates[${index}]: `, gate))
  const names = gates.map((gate) => `${hostName(gate.host)} on port ${gate.port ?? port}`)
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  return [...problems, ...[...twice].map((name) => `gates: two of them are ${name}`)]
}

interface One {
  audience: readonly string[]
  invoker: readonly string[]
  policy?: string | undefined
}

function checkOne(where: string, { audience, invoker, policy }: One): string[] {
  return [
    ...(invoker.length > 0 || policy !== undefined
      ? []
      : [`${where}nobody could call: name who may with invoker or policy (allUsers for a public service)`]),
    ...(audience.length > 0 || invoker.includes('allUsers')
      ? []
      : [`${where}no token would do: name what tokens are for with audience`]),
  ]
}

/** The gates in the settings, which `checkGates` finds sound. */
export function gatesOf(settings: GateSettings): GateOptions[] {
  const { upstream, gates, port: ownPort } = settings
  const listed = upstream === undefined ? gates : [{ ...settings, upstream, host: undefined, port: undefined }]
  return listed.map(({ host, port, ...own }) => {
    const { audience, invoker, policy, trust, group, subject, strip, mode, gcloudAudiences } = { ...settings, ...own }
    return {
      ...(host === undefined ? {} : { host: hostName(host) }),
      ...(port === undefined || port === ownPort ? {} : { port }),
      upstream: own.upstream,
      audiences: audience,
      invokers: invoker,
      ...(policy === undefined ? {} : { policy }),
      groups: groupsOf(group),
      subjects: Object.fromEntries(subject.map(splitPair)),
      strip,
      mode,
      trust,
      gcloudAudiences,
    }
  })
}

function groupsOf(pairs: readonly string[]): Record<string, string[]> {
  const groups: Record<string, string[]> = {}
  for (const [name, one] of pairs.map(splitPair))
    groups[name.toLowerCase()] = [...(groups[name.toLowerCase()] ?? []), one]
  return groups
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}
