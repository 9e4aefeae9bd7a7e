/** Checks of identities against each other; a schema checks each by itself. */

interface Checked {
  serviceAccount?: string | undefined
  impersonateServiceAccount?: readonly string[] | undefined
  identities: readonly CheckedIdentity[]
}

interface CheckedIdentity {
  serviceAccount: string
  callers: readonly string[]
  hosts: readonly string[]
  port?: number | undefined
  delegates: readonly string[]
}

/** Whether this identity is for everybody whom no other entry names. */
export function isDefault({ callers, hosts, port }: CheckedIdentity): boolean {
  return callers.length === 0 && hosts.length === 0 && port === undefined
}

export function checkIdentities({ serviceAccount, impersonateServiceAccount, identities }: Checked): string[] {
  const defaults = identities.filter(isDefault)
  const problems: string[] = []
  if (serviceAccount !== undefined && impersonateServiceAccount !== undefined) {
    problems.push(
      '--impersonate-service-account and --service-account both name the default identity: give one of them',
    )
  }
  if (defaults.length > 0 && (serviceAccount ?? impersonateServiceAccount) !== undefined) {
    const flag = serviceAccount === undefined ? '--impersonate-service-account' : '--service-account'
    problems.push(`${flag} and identities: both name the default identity: give one of them`)
  }
  if (defaults.length > 1) {
    const names = defaults.map((identity) => identity.serviceAccount).join(', ')
    problems.push(`identities: ${names} have no callers, hosts or port, so each is the default: leave one`)
  }
  for (const kind of ['callers', 'hosts'] as const) problems.push(...claimedTwice(identities, kind))
  const ports = identities.flatMap(({ port }) => (port === undefined || port === 0 ? [] : [port]))
  problems.push(...twice(ports).map((port) => `identities: the port ${port} is given to two of them`))
  const routes = new Map<string, string>()
  for (const { serviceAccount: principal, delegates } of identities) {
    const chain = delegates.join(',')
    if ((routes.get(principal) ?? chain) !== chain)
      problems.push(`identities: ${principal} has two chains of delegates`)
    routes.set(principal, chain)
  }
  return problems
}

function claimedTwice(identities: readonly CheckedIdentity[], kind: 'callers' | 'hosts'): string[] {
  const all = identities.flatMap((identity) => [...new Set(identity[kind].map((name) => name.toLowerCase()))])
  return twice(all).map((name) => `identities: ${name} is in the ${kind} of two of them`)
}

function twice<T>(values: readonly T[]): T[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))]
}
