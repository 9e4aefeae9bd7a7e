/** Where a service's variables lead its clients, and whether it only verifies tokens. */

import { TRUST_VARIABLES } from '../../env/receiver.ts'
import { hostAndPort } from '../address.ts'
import type { Service } from './project.ts'
import { ALIAS, LINK_LOCAL, POINTERS } from './roles.ts'
import { hasVariable } from './shapes.ts'

/** By an issuer or a key set that its variables name: another name of a sidemint is that of a gate, which it calls. */
export function isVerifier(service: Service, servers: readonly Service[]): boolean {
  const { entrypoint, command, environment } = service
  const said = [...entrypoint, ...command, ...Object.values(environment)]
  const issuers = [...servers.flatMap(({ name, containerName }) => [name, containerName]), ALIAS, LINK_LOCAL]
    .filter((name) => name !== '')
    .map((name) => `://${name}`)
  const isNamed = said.some((text) => issuers.some((issuer) => text.includes(issuer)))
  return isNamed || TRUST_VARIABLES.some(({ name, file }) => environment[name]?.endsWith(file))
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
