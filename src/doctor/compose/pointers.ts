/** Where a service's variables lead its clients, and whether it only verifies tokens. */

import { TRUST_VARIABLES } from '../../env/receiver.ts'
import { hostAndPort } from '../address.ts'
import type { Service } from './project.ts'
import { ALIAS, LINK_LOCAL, namesOf, POINTERS, reachesLinkLocal } from './roles.ts'
import { hasVariable } from './shapes.ts'

/** By an issuer or a key set that its variables name: another name of a sidemint is that of a gate, which it calls. */
export function isVerifier(service: Service, servers: readonly Service[]): boolean {
  const values = Object.entries(service.environment)
  const issuers = [...servers.flatMap(({ name, containerName }) => [name, containerName]), ALIAS, LINK_LOCAL]
    .filter((name) => name !== '')
    .map((name) => `://${name}`)
  const isNamed = values.some(([, value]) => issuers.some((issuer) => value.includes(issuer)))
  return isNamed || TRUST_VARIABLES.some(({ name, file }) => service.environment[name]?.endsWith(file))
}

/** The ports on which its clients ask this server. */
export function portsAsked(service: Service, server: Service): number[] {
  if (reachesLinkLocal(service, [server]) && given(service.environment).length === 0) return [80]
  const names = namesOf([server], service)
  const asked = known(service.environment)
    .filter(([, value]) => names.includes(hostOf(value)))
    .map(([, value]) => Number(/:(\d+)$/.exec(hostAndPort(value))?.[1] ?? 80))
  return [...new Set(asked)]
}

export function given(environment: Service['environment']): [string, string][] {
  return POINTERS.flatMap((name): [string, string][] => {
    const value = environment[name]
    return value ? [[name, value]] : []
  })
}

/** Those whose values have no variable that is still open. */
export function known(environment: Service['environment']): [string, string][] {
  return given(environment).filter(([, value]) => !hasVariable(value))
}

/** The hosts in the variables, without scheme, port and final dot. */
export function pointedAt({ environment }: Service): string[] {
  return known(environment).map(([, value]) => hostOf(value))
}

export function hostOf(value: string): string {
  return hostAndPort(value).replace(/:\d+$/, '').replace(/\.$/, '')
}
