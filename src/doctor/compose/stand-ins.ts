/** The sidemints of a stack that answer as Google's key hosts, and where others see what they write. */

import { dirname, join, relative } from 'node:path/posix'
import type { Settings } from '../../config/settings.ts'
import { type Finding, fail, warn } from '../finding.ts'
import type { Service } from './project.ts'
import { isWithin } from './roles.ts'
import type { Mount } from './shapes.ts'

export interface StandIn {
  server: Service
  directory: string
  /** What is mounted there; undefined where nothing is, so that receivers cannot see it. */
  mount: Mount | undefined
  /** The directory's path on the host, or in a volume with the volume's name before it. */
  place: string | undefined
  /** The same of its private keys. */
  keys: string | undefined
  port: string
}

export const FIX = 'sidemint env --receiver --format compose'

export function standInOf(server: Service, settings: Partial<Settings> = {}): StandIn | undefined {
  const directory = saidOf(server, 'stand-in') ?? settings.standIn
  if (!directory) return undefined
  const keyFile = saidOf(server, 'key-file') ?? settings.keyFile
  return {
    server,
    directory,
    mount: mountOf(server, directory),
    place: placeOf(server, directory),
    keys: placeOf(server, dirname(keyFile ?? directory)),
    port: saidOf(server, 'stand-in-port') ?? String(settings.standInPort ?? 443),
  }
}

/** A setting on its command line or in its variables, of which an empty one counts as not set. */
export function saidOf({ entrypoint, command, environment }: Service, name: string): string | undefined {
  const words = [...entrypoint, ...command]
  const index = words.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`))
  const flag = index < 0 ? undefined : (words[index]?.split('=')[1] ?? words[index + 1])
  return flag ?? (environment[`SIDEMINT_${name.toUpperCase().replaceAll('-', '_')}`] || undefined)
}

/** The innermost one that holds the path. */
function mountOf({ mounts }: Service, path: string): Mount | undefined {
  return mounts
    .filter(({ source, target }) => source !== '' && isWithin(path, target))
    .toSorted((one, other) => other.target.length - one.target.length)[0]
}

function placeOf(service: Service, path: string): string | undefined {
  const mount = mountOf(service, path)
  return mount && join(mount.source, relative(mount.target, path))
}

/** The path at which a service has a place; undefined where it mounts nothing that holds it. */
export function seenAt({ mounts }: Service, place: string | undefined): string | undefined {
  const mount = mounts.find(({ source }) => place !== undefined && source !== '' && isWithin(place, source))
  return mount && join(mount.target, relative(mount.source, place ?? ''))
}

export function lintStandIn({ server, directory, mount, port }: StandIn): Finding[] {
  const check = checkOf(server)
  const found: Finding[] = []
  if (mount === undefined) {
    const what = `its stand-in writes to ${directory}, and nothing is mounted there, so no receiver sees the certificate`
    found.push(fail(check, what, `volumes: ["stand-in:${directory}"] in ${server.name}`))
  } else if (mount.isReadOnly) {
    const what = `the stand-in's directory ${directory} is mounted read-only, and sidemint writes to it`
    found.push(fail(check, what, `volumes: ["${mount.source}:${mount.target}"] in ${server.name}`))
  }
  if (port !== '443') {
    const what = `its stand-in listens on ${port}, and Google's libraries know port 443 only`
    found.push(warn(check, what, `leave --stand-in-port out of ${server.name}, if services of the stack verify by it`))
  }
  return found
}

export function checkOf({ name }: Service): string {
  return `compose:${name}`
}
