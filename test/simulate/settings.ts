/** Who asks in a simulation, for what, and whose token each must get. */

import { settle } from '../../src/config/layers.ts'
import type { Settings } from '../../src/config/settings.ts'

const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`

export const LOGINS = [at('first'), at('second'), at('third')]
export const CALLERS = ['127.0.0.2', '127.0.0.3', '127.0.0.4']
export const HOSTS = ['metadata.google.internal', 'jobs.metadata.internal']
export const PATHS = ['default', 'default', 'default', at('shared'), at('billing')]
export const AUDIENCES = ['https://a.example', 'https://b.example', 'https://c.example']
export const SCOPES = ['', 'https://s.example/one', 'https://s.example/two,https://s.example/one']
/** So few that they are evicted, and yet enough for hits. */
export const ENTRIES = 12

const MANY = Array.from({ length: ENTRIES + 2 }, (_, at) => `https://many-${at}.example`)
/** Audiences that are asked for one after the other. */
export const FLOOD = [...MANY, MANY[0] as string]

interface Wanted {
  identities: Settings['identities']
  /** By caller and Host: the identity's place in the list; 'own': the credential's own account; none: no identity. */
  answers(caller: string, host: string): number | 'own' | undefined
}

const named = (name: string, more: Partial<Settings['identities'][number]> = {}): Settings['identities'][number] => ({
  serviceAccount: at(name),
  callers: [],
  hosts: [],
  delegates: [],
  accounts: [],
  ...more,
})

const WANTED: readonly Wanted[] = [
  { identities: [], answers: () => 'own' },
  {
    identities: [
      named('orders', { callers: ['127.0.0.2/32'], accounts: [at('shared')] }),
      named('billing', { callers: ['127.0.0.3/32'], delegates: [at('ci')] }),
      named('everybody'),
    ],
    answers: (caller) => (caller === '127.0.0.2' ? 0 : caller === '127.0.0.3' ? 1 : 2),
  },
  {
    identities: [
      named('orders', { callers: ['127.0.0.3/32'] }),
      named('billing', { callers: ['127.0.0.2/32'], accounts: [at('shared')] }),
      named('jobs', { hosts: ['jobs.metadata.internal'] }),
    ],
    answers: (caller, host) =>
      caller === '127.0.0.3' ? 0 : caller === '127.0.0.2' ? 1 : host === 'jobs.metadata.internal' ? 2 : undefined,
  },
  {
    // The first login's own account by its name: with another login it is impersonated.
    identities: [named('orders', { callers: ['127.0.0.2/32'] }), { ...named(''), serviceAccount: LOGINS[0] as string }],
    answers: (caller) => (caller === '127.0.0.2' ? 0 : 1),
  },
]

export const SETTINGS: readonly Settings[] = WANTED.map(({ identities }) =>
  settle({ options: { port: 0, source: 'google', cacheEntries: ENTRIES, identities } }),
)

/** The account whose token this request must get; 'own': the credential's own; undefined: it must be refused. */
export function accountFor(settings: number, caller: string, host: string, account: string): string | undefined {
  const { identities, answers } = WANTED[settings] as Wanted
  const place = answers(caller, host)
  if (place === undefined) return undefined
  if (place === 'own') return account === 'default' ? 'own' : undefined
  const identity = identities[place] as Settings['identities'][number]
  if (account === 'default') return identity.serviceAccount
  return [identity.serviceAccount, ...identity.accounts].includes(account) ? account : undefined
}
