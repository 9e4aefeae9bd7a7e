/** The gates that the settings describe. */

import { hostName } from '../core/host.ts'
import { type GateSettings, splitPair } from './settings.ts'

/** One gate before one service. */
export interface GateOptions {
  /** The name that callers use, in lower case. Absent: any. */
  host?: string
  /** Its port. Absent: the one that all gates without a port share. */
  port?: number
  /** Base URL of the service. */
  upstream: string
  audiences: readonly string[]
  /** Members as IAM writes them. */
  invokers: readonly string[]
  /** Path of a policy file, whose members are added to the invokers. */
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
  /** Whether tokens with gcloud's own audiences are accepted. */
  gcloudAudiences: boolean
  /** For an entry of `gates:`: which of its settings come from beside `gates:`. */
  shared?: readonly string[]
}

/** Whether one of them takes requests for the host. */
export function hasGate(gates: readonly GateOptions[], host: string): boolean {
  return gates.some((gate) => gate.host === undefined || gate.host === host)
}

/** An entry that sets one of these has only its own: the setting beside `gates:` is not added to it. */
const SHARED = ['trust', 'group', 'subject'] as const

/** What is missing, and which settings exclude each other. */
export function checkGates({ upstream, audience, invoker, policy, port, gates }: GateSettings): string[] {
  if (gates.length === 0 && upstream === undefined) {
    return ['--upstream: name the service behind the gate, or list several under `gates:` in sidemint.yaml']
  }
  const problems = gates.length > 0 ? [] : checkOne('', { audience, invoker, policy })
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

/** The settings of a server that fronts gates beside its own work. */
export interface FrontSettings extends GateSettings {
  readonly identities: readonly { readonly port?: number | undefined }[]
}

/** The same of gates that a server fronts: there may be none, and its own ports are not theirs. */
export function checkFronted(settings: FrontSettings): string[] {
  const { port, gatePort, identities, gates } = settings
  if (gates.length === 0) return []
  const own = new Set([port, ...identities.map((identity) => identity.port)])
  const wanted = new Set(gates.map((gate) => gate.port ?? gatePort))
  const clashes = [...wanted].filter((one) => one !== 0 && own.has(one))
  return [
    ...checkGates({ ...settings, port: gatePort }),
    ...clashes.map(
      (one) =>
        `gates: the port ${one} is already the server's or an identity's: choose another, or run \`sidemint gate\` elsewhere`,
    ),
  ]
}

interface One {
  audience: readonly string[]
  invoker: readonly string[]
  policy?: string | undefined
}

function checkOne(where: string, { audience, invoker, policy }: One): string[] {
  const spell = (name: string) => (where === '' ? `--${name}` : `\`${name}:\``)
  return [
    ...(invoker.length > 0 || policy !== undefined
      ? []
      : [
          `${where}nobody could call: name who may with ${spell('invoker')} or ${spell('policy')} (allUsers for a public service)`,
        ]),
    ...(audience.length > 0 || invoker.includes('allUsers')
      ? []
      : [`${where}no token would do: name what tokens are for with ${spell('audience')}`]),
  ]
}

/** The gates of settings that `checkGates` accepts. */
export function gatesOf(settings: GateSettings): GateOptions[] {
  const { upstream, gates, port: ownPort } = settings
  const listed = upstream === undefined ? gates : [{ ...settings, upstream, host: undefined, port: undefined }]
  return listed.map(({ host, port, ...own }) => {
    const { audience, invoker, policy, trust, group, subject, strip, mode, gcloudAudiences } = { ...settings, ...own }
    return {
      ...(host === undefined ? {} : { host: hostName(host), shared: SHARED.filter((name) => own[name] === undefined) }),
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

/** The gates that a server fronts beside its own work. They trust its `issuer` too, where it has one. */
export function frontedGates(settings: FrontSettings, issuer: string | undefined): GateOptions[] {
  if (settings.gates.length === 0) return []
  const own = issuer === undefined ? [] : [issuer]
  return gatesOf({ ...settings, port: settings.gatePort }).map((gate) => ({
    ...gate,
    trust: [...new Set([...gate.trust, ...own])],
  }))
}

function groupsOf(pairs: readonly string[]): Record<string, string[]> {
  const groups: Record<string, string[]> = {}
  for (const [name, one] of pairs.map(splitPair))
    groups[name.toLowerCase()] = [...(groups[name.toLowerCase()] ?? []), one]
  return groups
}
