/** Addresses and ports that keep an engine from starting the stack, where a sidemint is concerned. */

import { createRange, isCidr } from '../../core/cidr.ts'
import { type Finding, fail } from '../finding.ts'
import type { ComposeProject, Service } from './project.ts'
import { hasVariable } from './shapes.ts'

/** Services of a profile may be meant for another time than the rest. */
export function lintCollisions(whole: ComposeProject, sidemints: readonly Service[]): Finding[] {
  const running = whole.services.filter(({ profiles, isOff }) => profiles.length === 0 && !isOff)
  const project = { ...whole, services: running }
  return sidemints.flatMap((sidemint) => [
    ...outsideOfSubnet(sidemint, project),
    ...(project.services.includes(sidemint)
      ? [...takenAddresses(sidemint, project), ...takenPorts(sidemint, project, sidemints)]
      : []),
  ])
}

function outsideOfSubnet({ name, networks }: Service, { subnets }: ComposeProject): Finding[] {
  return networks.flatMap(({ network, address }) => {
    const own = subnets.filter((each) => each.network === network && isCidr(each.subnet)).map(({ subnet }) => subnet)
    if (address === '' || hasVariable(address) || own.length === 0 || createRange(own)(address)) return []
    return [
      fail(
        `compose:${name}`,
        `its address ${address} is not in ${own.join(' or ')}, the subnet of the network ${network}`,
        `give ${network} a subnet that holds ${address}, such as ${address.replace(/\.\d+$/, '.0/24')}`,
      ),
    ]
  })
}

function takenAddresses(sidemint: Service, { services }: ComposeProject): Finding[] {
  return sidemint.networks.flatMap(({ network, address }) => {
    if (address === '') return []
    const rivals = services.filter(
      (service) =>
        service !== sidemint && service.networks.some((one) => one.network === network && one.address === address),
    )
    return rivals.map(({ name }) =>
      fail(`compose:${sidemint.name}`, `${name} has its address ${address} too`, `remove the address from ${name}`),
    )
  })
}

/** A published port is written as HOST:CONTAINER or ADDRESS:HOST:CONTAINER; one without a host's port, or with 0, is free. */
function takenPorts(sidemint: Service, { services }: ComposeProject, sidemints: readonly Service[]): Finding[] {
  return sidemint.ports.flatMap((own) => {
    const rivals = services.filter(
      (service) => !sidemints.includes(service) && service.ports.some((port) => isSamePort(own, port)),
    )
    return rivals.map(({ name }) =>
      fail(
        `compose:${sidemint.name}`,
        `it publishes ${own.text}, and ${name} publishes the same port of the host`,
        `give ${name} another port`,
      ),
    )
  })
}

function isSamePort(one: Service['ports'][number], other: Service['ports'][number]): boolean {
  const isFixed = !['', '0'].includes(one.published) && !hasVariable(one.published)
  if (!isFixed || one.published !== other.published || one.protocol !== other.protocol) return false
  const isEverywhere = [one, other].some(({ hostAddress }) => hostAddress === '' || hostAddress === '0.0.0.0')
  return isEverywhere || one.hostAddress === other.hostAddress
}
