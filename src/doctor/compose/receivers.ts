/** What is looked at in services that verify tokens with Google's own libraries, by sidemint's stand-in. */

import type { Settings } from '../../config/settings.ts'
import { KEY_HOSTS } from '../../core/google.ts'
import { STAND_IN_FILES, TRUST_VARIABLES } from '../../env/receiver.ts'
import { type Finding, fail, ok, warn } from '../finding.ts'
import type { Service } from './project.ts'
import { isWithin } from './roles.ts'

/** A sidemint that has `--stand-in`. */
interface StandIn {
  server: Service
  directory: string
  /** What is mounted there; undefined where nothing is, so that receivers cannot see it. */
  source: string | undefined
}

const FIX = 'sidemint env --receiver --format compose'

/** `settingsOf`: what a server's settings file says, where it was read. */
export function lintReceivers(
  services: readonly Service[],
  servers: readonly Service[],
  settingsOf: (server: Service) => Partial<Settings> | undefined,
): Finding[] {
  const standIns = servers.flatMap((server) => standInOf(server, settingsOf(server)) ?? [])
  const others = services.filter((service) => !servers.includes(service))
  return [
    ...standIns.flatMap(lintStandIn),
    ...servers.filter(namesKeyHosts).map(lintOwnHosts),
    ...others.flatMap((service) => lintReceiver(service, standIns)),
  ]
}

function standInOf(server: Service, settings: Partial<Settings> | undefined): StandIn | undefined {
  const words = [...server.entrypoint, ...server.command]
  const flag = words.findIndex((word) => /^--stand-in(=|$)/.test(word))
  const said = flag < 0 ? undefined : (words[flag]?.split('=')[1] ?? words[flag + 1])
  const directory = said ?? server.environment.SIDEMINT_STAND_IN ?? settings?.standIn
  if (!directory) return undefined
  const mount = server.mounts.find(({ target }) => isWithin(directory, target))
  return { server, directory, source: mount?.source }
}

function lintStandIn({ server, directory, source }: StandIn): Finding[] {
  if (source !== undefined) return []
  const what = `its stand-in writes to ${directory}, and nothing is mounted there, so no receiver sees the certificate`
  return [fail(checkOf(server), what, `volumes: ["stand-in:${directory}"] in ${server.name}`)]
}

function lintOwnHosts(server: Service): Finding {
  const what = "extra_hosts sends its own questions to Google's key hosts elsewhere"
  return fail(checkOf(server), what, `leave them to receivers, and remove them from ${server.name}`)
}

function lintReceiver(service: Service, standIns: readonly StandIn[]): Finding[] {
  const check = checkOf(service)
  const mounted = standIns.find(({ source }) => service.mounts.some((mount) => isMountOf(mount.source, source)))
  const standIn = mounted ?? (namesKeyHosts(service) ? standIns[0] : undefined)
  if (standIn === undefined) {
    if (!namesKeyHosts(service)) return []
    const what = "extra_hosts leads Google's key hosts to another address, and no sidemint of the stack has --stand-in"
    return [
      fail(check, what, 'SIDEMINT_STAND_IN: /var/lib/sidemint-stand-in in the service of sidemint, or remove them'),
    ]
  }
  const found = [...lintWay(service, standIn), ...lintTrust(service, standIn), ...lintOrder(service, standIn)]
  return found.length > 0
    ? found
    : [ok(check, `verifies with Google's libraries by the stand-in of ${standIn.server.name}`)]
}

/** By extra_hosts, or by a network on which sidemint has the names. */
function lintWay(service: Service, { server }: StandIn): Finding[] {
  const shared = service.networks.map(({ network }) => network)
  const aliases = server.networks.flatMap(({ network, aliases }) => (shared.includes(network) ? aliases : []))
  const missing = KEY_HOSTS.filter((host) => !service.extraHosts.includes(host) && !aliases.includes(host))
  if (missing.length === 0) return []
  const what = `it finds the real ${missing.join(', ')}, whose keys do not verify tokens of ${server.name}`
  return [fail(checkOf(service), what, `extra_hosts, or aliases of ${server.name} on a network of both: ${FIX}`)]
}

function lintTrust(service: Service, { server, source }: StandIn): Finding[] {
  const check = checkOf(service)
  const mount = service.mounts.find((each) => isMountOf(each.source, source))
  if (mount === undefined) {
    return [fail(check, `it does not mount the stand-in's directory of ${server.name}`, `volumes: ${FIX}`)]
  }
  const set = TRUST_VARIABLES.flatMap(({ name, file }) => {
    const value = service.environment[name]
    return value?.includes(`${mount.target.replace(/\/$/, '')}/`) ? [{ name, file, value }] : []
  })
  if (set.length === 0 && service.isPartial) return []
  if (set.length === 0) {
    const names = TRUST_VARIABLES.map(({ name }) => name).join(', ')
    return [fail(check, `nothing makes it trust the certificate (none of ${names})`, `environment: ${FIX}`)]
  }
  return set
    .filter(({ value, file }) => file === STAND_IN_FILES.bundle && !value.endsWith(file))
    .map(({ name, value, file }) =>
      warn(
        check,
        `${name} is ${value}, which replaces every other certificate, so its calls elsewhere fail`,
        `${name}: ${mount.target}/${file}`,
      ),
    )
}

function lintOrder(service: Service, { server }: StandIn): Finding[] {
  if (service.dependsOn.get(server.name) === 'service_healthy') return []
  const what = `it may start before ${server.name} has written the certificate`
  return [fail(checkOf(service), what, `depends_on: { ${server.name}: { condition: service_healthy } }`)]
}

function isMountOf(source: string, wanted: string | undefined): boolean {
  return source !== '' && source === wanted
}

function namesKeyHosts({ extraHosts }: Service): boolean {
  return KEY_HOSTS.some((host) => extraHosts.includes(host))
}

function checkOf({ name }: Service): string {
  return `compose:${name}`
}
