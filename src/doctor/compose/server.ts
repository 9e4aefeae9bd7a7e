/** Checks a service that is a sidemint. */

import { basename } from 'node:path'
import { checkTogether, invalid, settleLayers } from '../../config/layers.ts'
import type { Settings } from '../../config/settings.ts'
import { INHERITED } from '../../config/standard.ts'
import { readControlSecret } from '../../control/secret.ts'
import { asFailure } from '../../core/errors.ts'
import { type Finding, fail, failed, ok, warn } from '../finding.ts'
import type { ComposeProject, Service } from './project.ts'
import { hasLogin } from './roles.ts'
import { hasVariable } from './shapes.ts'
import { standInOf } from './stand-ins.ts'

/** Files that gcloud or an editor replaces and does not write into. */
const REPLACED_FILES = /^(application_default_credentials\.json|sidemint\.ya?ml)$/
const LOGIN = /(^|\/)gcloud\/?$|(^|\/)application_default_credentials\.json$/

/**
 * What is wrong with its `SIDEMINT_*` variables, by themselves or together with the file that it reads: it would not start.
 * A value that a variable gives cannot be known here.
 */
export function lintVariables({ name, environment }: Service, file?: Settings): Finding[] {
  const own = Object.entries(environment).filter(([name, value]) => /^SIDEMINT_/.test(name) && !hasVariable(value))
  try {
    if (environment.SIDEMINT_CONTROL_SECRET !== undefined) demandSecret(environment.SIDEMINT_CONTROL_SECRET)
    const { settings, chosen } = settleLayers({ env: Object.fromEntries(own) }, [], {})
    const over = Object.entries(settings).filter(([setting]) => chosen.has(setting))
    const problems = file === undefined ? [] : checkTogether({ ...file, ...Object.fromEntries(over) })
    return problems.length === 0 ? [] : [failed(`compose:${name}`, asFailure(invalid(problems)))]
  } catch (error) {
    return [failed(`compose:${name}`, asFailure(error))]
  }
}

/** Throws SETTINGS_INVALID. A value that a variable gives is not known here. */
function demandSecret(secret: string): void {
  if (!hasVariable(secret)) readControlSecret(undefined, { SIDEMINT_CONTROL_SECRET: secret })
}

/** `settings`: those of the file that it reads, where there is one. */
export function lintServer(service: Service, { withoutWayOut }: ComposeProject, settings?: Settings): Finding[] {
  const check = `compose:${service.name}`
  const found = [
    ...ports(service, check, settings),
    ...wayOut(service, withoutWayOut, check, settings),
    ...standIn(service, check, settings),
    ...singleFiles(service, check),
    ...owner(service, check),
  ]
  return found.length > 0 ? found : [ok(check, 'is a sidemint that only this host and its own networks reach')]
}

function ports(
  { name, ports: published, networkMode, environment }: Service,
  check: string,
  settings: Settings | undefined,
): Finding[] {
  const onHost = networkMode === 'host' && isOpen(environment.SIDEMINT_HOST ?? '0.0.0.0')
  return [
    ...(onHost
      ? [
          fail(
            check,
            'network_mode is host and it listens everywhere, so your whole network can ask it for tokens',
            'SIDEMINT_HOST: 127.0.0.1',
          ),
        ]
      : []),
    ...published
      .filter(({ hostAddress, target }) => isOpen(hostAddress) && !isGates(target, settings))
      .map(({ text, hostAddress, target }) =>
        fail(
          check,
          `its port ${text} is published on ${hostAddress || 'every address'}, so your whole network can ask it for tokens`,
          `remove it from \`ports:\` of ${name}, or write "127.0.0.1:${target === '80' ? 16925 : target}:${target}"`,
        ),
      ),
  ]
}

/** A gate gives no tokens, and lets in nobody without one. */
function isGates(target: string, settings: Settings | undefined): boolean {
  return settings?.gates.some(({ port = settings.gatePort }) => String(port) === target) ?? false
}

/** An address from a variable is unknown and counts as closed. */
function isOpen(address: string): boolean {
  return !hasVariable(address) && !/^127\.|^::1$|^localhost$/.test(address)
}

/** No call to Google gets out, and a published port leads nowhere (docs/wire.md, "Docker's names"). */
function wayOut(
  service: Service,
  withoutWayOut: readonly string[],
  check: string,
  settings: Settings | undefined,
): Finding[] {
  const { name, networks, ports } = service
  const isShutIn = networks.length > 0 && networks.every(({ network }) => withoutWayOut.includes(network))
  if (!isShutIn || (ports.length === 0 && !asksGoogle(service, settings))) return []
  const what = ports.length > 0 ? 'its published ports lead nowhere' : 'it does not reach Google'
  return [
    fail(
      check,
      `it is only on ${networks.map(({ network }) => network).join(', ')}, which has inhibit_ipv4, so ${what}`,
      `networks: { default: {} } beside it, for ${name}`,
    ),
  ]
}

/** Where Google signs the tokens, its own keys verify them, and such a server does not start. */
function standIn(service: Service, check: string, settings: Settings | undefined): Finding[] {
  if (service.isPartial || standInOf(service, settings) === undefined || !asksGoogle(service, settings)) return []
  const what = "it has a stand-in and real credentials, so it does not start: Google's own keys verify its tokens"
  return [fail(check, what, 'SIDEMINT_SOURCE: local, or leave SIDEMINT_STAND_IN out')]
}

/** Where nothing names credentials, tokens are signed locally. */
function asksGoogle(service: Service, settings: Settings | undefined): boolean {
  const { entrypoint, command, environment } = service
  const line = [...entrypoint, ...command].join(' ')
  const [, flag] = /--source[= ](\w+)/.exec(line) ?? []
  const source = flag ?? (environment.SIDEMINT_SOURCE || settings?.source)
  if (source !== undefined && source !== 'auto') return source !== 'local' && !hasVariable(source)
  const names = ['SIDEMINT_CREDENTIALS', 'SIDEMINT_IMPERSONATE_SERVICE_ACCOUNT', INHERITED]
  return (
    hasLogin(service) ||
    names.some((name) => environment[name]) ||
    line.includes('--impersonate-service-account') ||
    settings?.impersonateServiceAccount !== undefined
  )
}

/** A bind of a single file keeps the file that was there when the container started. */
function singleFiles({ mounts, environment, command }: Service, check: string): Finding[] {
  const { SIDEMINT_CONFIG, GOOGLE_APPLICATION_CREDENTIALS } = environment
  const isNamed = (target: string) =>
    [SIDEMINT_CONFIG, GOOGLE_APPLICATION_CREDENTIALS].includes(target) ||
    command.some((word) => word === target || word === `--config=${target}`)
  return mounts
    .filter(
      ({ source, target }) =>
        source !== '' &&
        (REPLACED_FILES.test(basename(target)) || REPLACED_FILES.test(basename(source)) || isNamed(target)),
    )
    .map(({ source }) =>
      warn(
        check,
        `${source} is mounted as a single file: when it is replaced, the container keeps the old one`,
        'mount its directory in its place, read-only',
      ),
    )
}

/** gcloud writes a login with mode 0600, and the image runs as another user. */
function owner({ mounts, user }: Service, check: string): Finding[] {
  const login = mounts.find(({ source, target }) => LOGIN.test(source) || LOGIN.test(target))
  if (login === undefined || user !== '') return []
  return [
    warn(
      check,
      `${login.source} belongs to you with mode 0600, and the image runs as uid 65532: on Linux it cannot read it`,
      `user: "\${UID:-1000}"`,
    ),
  ]
}
