/**
 * What is printed at the start. For a server: who mints and why, each identity, the address, and the variables that an app
 * needs. For gates: their services, whom they admit and whom they trust.
 */

import type { Settings } from '../config/settings.ts'
import { METADATA_ADDRESS, METADATA_URL, METADATA_VARIABLES } from '../core/google.ts'
import { listensEverywhere } from '../core/host.ts'
import { version } from '../core/version.ts'
import { createClientEnv, shellLine } from '../env/client.ts'
import type { GateOptions } from '../gate/options.ts'
import type { RunningGates } from '../gate/server.ts'
import { servedAsIs } from '../identity/advice.ts'
import { type Identity, identityLabel } from '../identity/identity.ts'
import type { Log } from '../observe/log.ts'
import type { RunningServer } from '../server.ts'

/** The variables that every app needs; `sidemint env` prints all. */
const NEEDED = [...METADATA_VARIABLES, 'METADATA_SERVER_DETECTION']

const PAGE = '/_sidemint/'

export function announce(server: RunningServer, log: Log, { host, logFormat, allowUserTokens }: Settings): void {
  // As in a container, whose loopback its apps do not share.
  const everywhere = listensEverywhere(host)
  const url = everywhere ? `${METADATA_URL}:${new URL(server.url).port}` : server.url
  const all = createClientEnv({ url, emptyDirectory: '', env: {} })
  const needed = Object.fromEntries(NEEDED.map((name) => [name, all[name]]))
  if (!everywhere) log.showAt(server.url)
  announceAdvice(server, log)
  const ownLogin = server.ownLogin()
  if (allowUserTokens && ownLogin !== undefined) log.say('warn', servedAsIs(ownLogin), { event: 'start' })
  if (logFormat === 'json') {
    const { source, issuer } = server
    log.say('info', 'listening', {
      event: 'start',
      version,
      url: server.url,
      page: `${server.url}${PAGE}`,
      source: source.name,
      why: source.why,
      ...(server.credentials === undefined ? {} : { credentials: server.credentials }),
      ...(server.inherited === undefined ? {} : { inherited: server.inherited }),
      issuer,
      identities: server.identities.map((identity) => recordOf(identity, server.ports.get(identity))),
      ...(server.front.gates.length === 0 ? {} : { gateUrls: server.front.urls, gates: server.front.gates }),
      needed,
    })
    return
  }
  const lines = [
    `sidemint ${version} at ${server.url}`,
    `source   ${server.source.name}: ${server.source.why}`,
    ...[server.credentials, server.inherited].flatMap((line) => (line === undefined ? [] : [`         ${line}`])),
    ...(server.source.name === 'local'
      ? [`         tokens are signed here as ${server.issuer}; Google's own services refuse them`]
      : []),
    ...server.identities
      .map((identity) => describeIdentity(identity, server.ports.get(identity)))
      .map((email, index) => `${index === 0 ? 'identity' : '        '} ${email}`),
    ...describeFront(server.front),
    `page     ${describePage(server, everywhere)}`,
    `apps     ${Object.entries(needed)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
    everywhere
      ? `         sidemint env --format compose prints them all; none is needed where we are at ${METADATA_ADDRESS}`
      : `         ${shellLine(server.url)} sets these and what else a client needs`,
  ]
  for (const line of lines) log.say('info', line)
}

/** In a container only whoever publishes the port knows where the page is, and must know who else gets tokens there. */
function describePage({ url, source }: RunningServer, everywhere: boolean): string {
  if (!everywhere) return `${url}${PAGE} shows who called whom, and why a call was refused`
  if (source.name === 'local')
    return `${PAGE} of this port; publish it to 127.0.0.1 alone, since whoever reaches it gets tokens`
  return `${PAGE} of this port; do not publish it: every program of the host would get real tokens there`
}

export function announceAdvice({ advice }: RunningServer, log: Log): void {
  for (const text of advice) log.say('warn', text, { event: 'advice' })
}

function recordOf({ email, callers, hosts, isDefault }: Identity, port: number | undefined): object {
  return { email, callers, hosts, ...(port === undefined ? {} : { port }), default: isDefault }
}

/** Who gets an identity: everybody else, or those that are named. */
function describeIdentity(identity: Identity, port: number | undefined): string {
  const { callers, hosts, isDefault } = identity
  const whom = [
    ...(isDefault ? ['everybody else'] : []),
    ...(callers.length > 0 ? [`callers ${callers.join(', ')}`] : []),
    ...(hosts.length > 0 ? [`hosts ${hosts.join(', ')}`] : []),
    ...(port === undefined ? [] : [`port ${port}`]),
  ]
  return `${identityLabel(identity)} for ${whom.join('; ')}`
}

export function announceGates({ gates, urls, adminUrl }: RunningGates, log: Log, format: 'text' | 'json'): void {
  log.showAt(adminUrl)
  if (format === 'json') {
    log.say('info', 'listening', { event: 'start', version, urls, adminUrl, gates })
    return
  }
  const lines = [
    `sidemint gate ${version} at ${urls.join(', ')}`,
    ...gates.flatMap(describeGate),
    `page     ${adminUrl}${PAGE} shows who was refused, and why`,
    `health   ${adminUrl}/_sidemint/health, /_sidemint/metrics`,
  ]
  for (const line of lines) log.say('info', line)
}

function describeFront({ gates, urls }: Pick<RunningGates, 'gates' | 'urls'>): string[] {
  return gates.length === 0 ? [] : [`gates    at ${urls.join(', ')}`, ...gates.flatMap(describeGate)]
}

function describeGate({ host = 'any host', port, upstream, invokers, policy, audiences, trust, mode }: GateOptions) {
  const whom = [...invokers, ...(policy === undefined ? [] : [`whom ${policy} names`])].join(', ')
  const name = port === undefined ? host : `${host}:${port}`
  return [
    `fronts   ${name} -> ${upstream}${mode === 'report' ? ', refusing nobody (mode report)' : ''}`,
    `         admits ${whom}`,
    ...(invokers.includes('allUsers')
      ? []
      : [`         with tokens for ${audiences.join(', ')} of ${trust.join(', ')}`]),
  ]
}
