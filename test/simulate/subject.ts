/** The server of a simulation, without HTTP: its views, identities, cache and credentials are the real ones. */

import type { Socket } from 'node:net'
import { createOrders } from '../../src/control/orders.ts'
import { createControl } from '../../src/control/routes.ts'
import { SidemintError } from '../../src/core/errors.ts'
import { createEvents } from '../../src/core/events.ts'
import { Target } from '../../src/http/target.ts'
import { WireError } from '../../src/http/wire.ts'
import { createCallers } from '../../src/identity/callers.ts'
import { createIdentities } from '../../src/identity/identities.ts'
import { createInspector } from '../../src/inspector/inspector.ts'
import { createInjectedFailures } from '../../src/metadata/failures.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { createOps } from '../../src/observe/ops.ts'
import { createReadiness } from '../../src/observe/readiness.ts'
import { openViews, type Views } from '../../src/server/views.ts'
import type { FakeFile, FakeGoogle } from './google.ts'
import type { Answered } from './judge.ts'
import { CALLERS, SETTINGS } from './settings.ts'
import type { Ask } from './steps.ts'
import type { Time } from './time.ts'

const NO_SOCKETS = { reverse: async () => [], ownAddresses: () => [] }

export interface SubjectParts {
  time: Time
  file: FakeFile
  google: FakeGoogle
  /** Of the credential file. */
  path: string
}

export type Subject = Awaited<ReturnType<typeof startSubject>>

export async function startSubject({ time, file, google, path }: SubjectParts) {
  const events = createEvents()
  const now = time.wall
  const readiness = createReadiness(events, now)
  const address = { url: '' }
  const issuer = () => address.url
  const identities = await createIdentities({
    settings: SETTINGS[0] as (typeof SETTINGS)[number],
    env: { GOOGLE_APPLICATION_CREDENTIALS: path },
    issuer,
    events,
    now,
    readAdc: file.read,
    loadMinter: google.loadMinter,
    wait: time.wait,
    elapsed: time.elapsed,
    onChange: () => views.changed(),
  })
  const inspector = createInspector({ events, now, keepHits: false })
  const injected = createInjectedFailures()
  const orders = createOrders({ identities, injected, record: inspector.record })
  const views = await openViews({
    settings: SETTINGS[0] as (typeof SETTINGS)[number],
    identities,
    frontGates: false,
    events,
    now,
    readiness,
    inspector,
    injected,
    callers: createCallers(NO_SOCKETS),
    ops: createOps({ readiness, metrics: createMetrics(events) }),
    control: createControl({ orders, secret: undefined, defaultAccount: () => undefined }),
    isControlled: false,
    address,
    issuer,
    ownIssuer: issuer,
  })
  const localPort = Number(new URL(address.url).port)
  return {
    tokens: identities.tokens,
    views,
    orders,
    inspector,
    answerTo: createAsker(views, localPort),
  }
}

function createAsker(views: Views, localPort: number): (ask: Ask) => Promise<Answered> {
  const sockets = new Map(
    CALLERS.map((caller) => [caller, { remoteAddress: caller, localPort } as unknown as Socket] as const),
  )

  return async ({ caller, host, account, want }) => {
    const query =
      want.kind === 'id'
        ? `identity?audience=${want.audience}&format=${want.format}`
        : `token${want.scopes === '' ? '' : `?scopes=${want.scopes}`}`
    const target = new Target(`/computeMetadata/v1/instance/service-accounts/${account}/${query}`)
    try {
      const answer = await views.current().metadata({ target, host, socket: sockets.get(caller) as Socket })
      return { status: answer?.status ?? 0, text: answer?.body ?? '', transient: false }
    } catch (thrown) {
      if (thrown instanceof WireError) return { status: thrown.answer.status, text: thrown.message, transient: false }
      if (!(thrown instanceof SidemintError)) throw thrown
      const { status, code, message, transient } = thrown
      return { status, text: `${code} ${message}`, transient: transient && code !== 'SERVER_STOPPING' }
    }
  }
}
