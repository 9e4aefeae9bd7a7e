/**
 * Parses the names that Docker's DNS gives in a reverse look-up: `PROJECT-SERVICE-N.NETWORK`,
 * `PROJECT-SERVICE-run-HASH.NETWORK` for `docker compose run`, or `CONTAINER_NAME.NETWORK` (docs/wire.md, "Docker's
 * names").
 */

/** A container as its neighbours know it. */
export interface ComposeName {
  /** The container's own name. */
  container: string
  /** The compose service, where the container belongs to our own project. */
  service?: string
}

/** Parses a reverse name. `ownNames`: our own reverse names, the one in the caller's network first. */
export function readName(name: string, ownNames: readonly string[]): ComposeName {
  const [near] = ownNames
  if (near === undefined) return { container: name.split('.')[0] || name }
  const container = cut(name, commonEnd(name, near))
  const project = readProject(near, ownNames)
  if (project === undefined || !container.startsWith(`${project}-`)) return { container }
  const service = NUMBERED.exec(container.slice(project.length + 1))?.[1]
  return service === undefined ? { container } : { container, service }
}

/** Whether a container's own name may be that of one of the service's containers. */
export function isContainerOf(container: string, service: string): boolean {
  return NUMBERED.exec(container)?.[1]?.endsWith(`-${service}`) ?? false
}

const NUMBERED = /^(.+)-(?:\d+|run-[0-9a-f]+)$/

/**
 * Our project. Project and service may both contain dashes. Compose names a project's own networks `PROJECT_NETWORK`,
 * which shows where the project's name ends; without such a network it is taken to end at the first dash.
 */
function readProject(near: string, ownNames: readonly string[]): string | undefined {
  const parts = NUMBERED.exec(near.replace(/\..*/, ''))?.[1]?.split('-') ?? []
  const candidates = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('-'))
  return candidates.find((project) => ownNames.some((name) => name.includes(`.${project}_`))) ?? candidates[0]
}

/** The network's name is the longest end that both names share: container and network names may both contain dots. */
function commonEnd(a: string, b: string): string {
  const [ours, theirs] = [a.split('.').reverse(), b.split('.').reverse()]
  const shared = ours.findIndex((part, index) => part !== theirs[index])
  return ours
    .slice(0, shared < 0 ? -1 : shared)
    .reverse()
    .join('.')
}

function cut(name: string, network: string): string {
  return network === '' ? name : name.slice(0, -network.length - 1)
}
