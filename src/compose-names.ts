/**
 * What Docker's DNS answers to a reverse look-up, taken apart. Measured: `PROJECT-SERVICE-N.NETWORK`,
 * `PROJECT-SERVICE-run-HASH.NETWORK` for `docker compose run`, or `CONTAINER_NAME.NETWORK`.
 */

/** A container as its neighbours know it. */
export interface ComposeName {
  /** The container's own name. */
  container: string
  /** The compose service, where the container belongs to our own project. */
  service?: string
}

/** Whom a reverse name names, told by our own reverse name in the same network. */
export function readName(name: string, ownName: string | undefined): ComposeName {
  if (ownName === undefined) return { container: cut(name, name.slice(name.indexOf('.') + 1)) }
  const network = commonEnd(name, ownName)
  const container = cut(name, network)
  const project = readProject(cut(ownName, network), network)
  if (project === undefined || !container.startsWith(`${project}-`)) return { container }
  const service = /^(.+)-(?:\d+|run-[0-9a-f]+)$/.exec(container.slice(project.length + 1))?.[1]
  return service === undefined ? { container } : { container, service }
}

/**
 * Our project. Project and service may both hold dashes; compose names a project's networks `PROJECT_NETWORK`, which
 * tells where the one ends. In a network of another name the first dash has to do.
 */
function readProject(ownContainer: string, network: string): string | undefined {
  const parts = /^(.+)-(?:\d+|run-[0-9a-f]+)$/.exec(ownContainer)?.[1]?.split('-') ?? []
  const candidates = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('-'))
  return candidates.find((project) => network.startsWith(`${project}_`)) ?? candidates[0]
}

/** The network's name: container and network names may both hold dots, and what two names share at their end is it. */
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
