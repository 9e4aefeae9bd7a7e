/** A server's own state: who mints and why, the identities, the gates, readiness and the cache. */

import type { Settings } from '../config/settings.ts'
import { version } from '../core/version.ts'
import { type GateOptions, gatesOf } from '../gate/options.ts'
import type { Identities } from '../identity/identities.ts'
import type { Identity } from '../identity/identity.ts'
import type { Readiness } from '../observe/readiness.ts'
import type { GateState, GatesState, ServerState } from './rows.ts'

/** How many of the cache's tokens are listed. */
const MOST_LISTED = 200

export interface ServerParts {
  settings: Settings
  identities: Identities
  readiness: Readiness
  open: {
    url: string
    /** Identities with a listener of their own, by its port. */
    byPort: ReadonlyMap<number, Identity>
    /** The gates of this server. */
    gates: readonly GateOptions[]
  }
  issuer: () => string
  /** When the settings were applied, epoch ms. */
  appliedAt: number
  /** Whether tests may order something over HTTP. */
  control: boolean
}

export function describeServer({
  settings,
  identities,
  readiness,
  open,
  issuer,
  appliedAt,
  control,
}: ServerParts): ServerState {
  const { source, login, advice, all, namedProject, local, tokens } = identities
  const portOf = new Map([...open.byPort].map(([port, identity]) => [identity, port]))
  return {
    version,
    url: open.url,
    source: source.name,
    why: source.why,
    login: login() ?? null,
    issuer: local === undefined ? null : issuer(),
    advice,
    failing: readiness.failing() ?? null,
    project: namedProject,
    region: settings.region,
    settings: { file: settings.config ?? null, appliedAt },
    identities: all.map((identity) => {
      const { email = null, accounts, callers, hosts, isDefault } = identity
      return { email, accounts, callers, hosts, port: portOf.get(identity) ?? null, isDefault }
    }),
    gates: open.gates.map(describeGate),
    control,
    cache: tokens.list(MOST_LISTED),
  }
}

/** A gate in a process of its own: it mints nothing. */
export function describeGates({ settings, appliedAt }: Pick<ServerParts, 'settings' | 'appliedAt'>): GatesState {
  return {
    version,
    source: null,
    settings: { file: settings.config ?? null, appliedAt },
    gates: gatesOf(settings).map(describeGate),
  }
}

/** Leaves out the members of a policy file, and a URL's password. */
function describeGate({ host, port, upstream, audiences, invokers, policy, mode, trust }: GateOptions): GateState {
  const { origin } = new URL(upstream)
  return {
    host: host ?? null,
    port: port ?? null,
    upstream: origin,
    audiences,
    invokers,
    policy: policy ?? null,
    mode,
    trust,
  }
}
