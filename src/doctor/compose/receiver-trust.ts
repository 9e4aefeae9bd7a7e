/** Whether a service that verifies tokens has the stand-in's certificate, and trusts it. */

import { basename } from 'node:path/posix'
import { RECEIVER_DIRECTORY, STAND_IN_FILES, TRUST_VARIABLES } from '../../env/receiver.ts'
import { type Finding, fail, warn } from '../finding.ts'
import type { Service } from './project.ts'
import { isWithin } from './roles.ts'
import { checkOf, FIX, type StandIn, seenAt } from './stand-ins.ts'

type TrustVariable = (typeof TRUST_VARIABLES)[number]

const FILES: readonly string[] = Object.values(STAND_IN_FILES)
const TRUST_STORE = /-Djavax\.net\.ssl\.trustStore=(\S+)/

export function lintTrust(service: Service, { server, place }: StandIn): Finding[] {
  const check = checkOf(service)
  const mounted = seenAt(service, place)
  if (mounted === undefined) {
    const what = `it does not mount the stand-in's directory of ${server.name}`
    return [fail(check, what, `volumes: ["${place ?? 'stand-in'}:${RECEIVER_DIRECTORY}:ro"]`)]
  }
  const set = TRUST_VARIABLES.flatMap((variable) => {
    const path = pathIn(variable, service.environment[variable.name])
    const isOurs = path !== undefined && (isWithin(path, mounted) || FILES.includes(basename(path)))
    return isOurs ? [{ variable, path }] : []
  })
  if (set.length === 0) return lintNone(service, check, mounted)
  return set.flatMap(({ variable, path }) => lintVariable(check, variable, path, mounted))
}

/** The file that a variable names. */
function pathIn({ name }: TrustVariable, value: string | undefined): string | undefined {
  return name === 'JAVA_TOOL_OPTIONS' ? TRUST_STORE.exec(value ?? '')?.[1] : value
}

/** PHP reads no variable, so its settings are on its command line or in files that are not read here. */
function lintNone({ environment, entrypoint, command, isPartial }: Service, check: string, mounted: string): Finding[] {
  const isOnCommandLine = [...entrypoint, ...command].some((word) => word.includes(`${mounted}/`))
  if (isPartial || isOnCommandLine) return []
  if (environment.JAVA_TOOL_OPTIONS !== undefined) {
    const what = 'JAVA_TOOL_OPTIONS does not set javax.net.ssl.trustStore, so it does not trust the certificate'
    const option = `-Djavax.net.ssl.trustStore=${mounted}/${STAND_IN_FILES.trustStore}`
    return [fail(check, what, `add ${option} to it`)]
  }
  const names = TRUST_VARIABLES.map((variable) => variable.name).join(', ')
  return [fail(check, `nothing makes it trust the certificate (none of ${names})`, `environment: ${FIX}`)]
}

function lintVariable(check: string, { name, file }: TrustVariable, path: string, mounted: string): Finding[] {
  const isJava = name === 'JAVA_TOOL_OPTIONS'
  const right = `${mounted}/${file}`
  const fix = isJava ? `-Djavax.net.ssl.trustStore=${right} in it` : `${name}: ${right}`
  const says = `${name} ${isJava ? 'names' : 'is'} ${path}`
  if (!isWithin(path, mounted)) {
    return [
      fail(check, `${says}, and the directory is mounted at ${mounted}, so it does not find the certificate`, fix),
    ]
  }
  if (!FILES.includes(basename(path))) return [fail(check, `${says}, which the stand-in does not write`, fix)]
  if (isJava !== (basename(path) === STAND_IN_FILES.trustStore)) {
    const what = isJava ? 'Java reads no PEM' : "that is Java's form"
    return [fail(check, `${says}, and ${what}, so it does not trust the certificate`, fix)]
  }
  const isAlone = file === STAND_IN_FILES.bundle && basename(path) !== file
  return isAlone
    ? [warn(check, `${says}, which replaces every other certificate, so its calls elsewhere fail`, fix)]
    : []
}
