/** A server without HTTP, in a world that does what steps say: its views, identities, cache and credentials are the real ones. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
import { openViews } from '../../src/server/views.ts'
import { createFile, createGoogle, keyOf } from './google.ts'
import { type Answered, type Asked, createJudge, Violation } from './judge.ts'
import { accountFor, CALLERS, FLOOD, HOSTS, SETTINGS } from './settings.ts'
import type { Ask, Step } from './steps.ts'
import { createTime, settled } from './time.ts'

/** A change of the file is seen by the first request after this. */
const SEEN_WITHIN_MS = 1_000
const NO_SOCKETS = { reverse: async () => [], ownAddresses: () => [] }

export interface World {
  /** Throws a Violation. */
  do(step: Step): Promise<void>
  /** Stops the server. Throws a Violation. */
  close(): Promise<void>
}

export async function createWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-simulate-'))
  const path = join(folder, 'adc.json')
  let epoch = 0
  let writes = 0
  let inForce = 0
  let broken: Violation | undefined
  const waiting = new Set<Asked>()
  const time = createTime()

  const file = createFile(time, (login) => {
    forget()
    for (const asked of waiting) {
      if (asked.waitsForRead) asked.logins.clear()
      asked.logins.add(login)
    }
  })
  /** What is wrong may be found deep inside of the server, which would answer it. */
  const noting = (check: () => void) => {
    try {
      check()
    } catch (thrown) {
      broken ??= thrown as Violation
    }
  }
  const google = createGoogle(
    time,
    () => epoch,
    (mint) => noting(() => judge.began(mint)),
    (mint) => judge.ended(mint),
  )
  const judge = createJudge({ time, google: () => google, file, epoch: () => epoch })

  function forget(): void {
    epoch += 1
    judge.cleared()
  }

  /** Each version has a size of its own: a file system's clock may be too coarse for two writes. */
  function write(): void {
    if (file.content === 'missing') rmSync(path, { force: true })
    else writeFileSync(path, 'x'.repeat(file.version % 1_000))
    writtenAtMs = time.atMs
  }
  let writtenAtMs = time.atMs
  write()

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
  const { tokens } = identities
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
  const sockets = new Map(
    CALLERS.map((caller) => [caller, { remoteAddress: caller, localPort } as unknown as Socket] as const),
  )

  async function answerTo({ caller, host, account, want }: Ask): Promise<Answered> {
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

  async function ask(step: Ask): Promise<void> {
    const account = accountFor(inForce, step.caller, step.host, step.account)
    const asked: Asked = {
      ask: step,
      account,
      key: account === undefined ? undefined : keyFor(step, account),
      order: time.next(),
      readyMs: time.elapsed(),
      // A read that begins in its own step was begun by its look.
      waitsForRead: true,
      logins: new Set([file.inForce]),
    }
    waiting.add(asked)
    answerTo(step).then(
      (answer) => {
        waiting.delete(asked)
        noting(() => judge.answered(asked, answer))
      },
      (thrown) => {
        waiting.delete(asked)
        broken ??= thrown
      },
    )
    await settled()
    const isSeen = file.readVersion === file.version || file.endRead !== undefined
    // The file is looked at once a second of the wall clock: where that was set since the last look, it may be late.
    const isPlain = time.setAtMs < file.readAtMs
    const sinceMs = time.atMs - writtenAtMs
    asked.waitsForRead = file.endRead !== undefined
    if (asked.account !== undefined && !isSeen && isPlain && sinceMs >= SEEN_WITHIN_MS) {
      throw new Violation('nothing of another login', `a login of ${sinceMs} ms ago was not read`)
    }
  }

  const lookAtClock = () => void tokens.leftMs({ value: '', expiresAtMs: 0, served: 'hit', endsAtMs: 0, fp: undefined })

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case 'ask':
        return ask(step)
      case 'flood':
        for (const audience of FLOOD) await ask(askFor(step.caller, audience))
        return
      case 'answer':
        return [...google.underWay][Math.floor(step.pick * google.underWay.size)]?.answer(step.fate)
      case 'google':
        google.mode = step.fate
        return
      case 'pass':
        return time.pass(step.ms)
      case 'sleep':
        // Where the clock is set back and nobody looks between that and the sleep, no clock shows how long it was.
        lookAtClock()
        time.sleep(step.ms)
        return lookAtClock()
      case 'set clock':
        return time.setWall(step.byMs)
      case 'write login':
        // A file that is missing is the same each time.
        writes += 1
        Object.assign(file, { content: step.login, slow: step.slow, version: step.login === 'missing' ? -1 : writes })
        return write()
      case 'end read':
        return file.endRead?.()
      case 'apply':
        inForce = step.settings
        return views.apply(SETTINGS[inForce] as (typeof SETTINGS)[number], () => Buffer.alloc(0))
      case 'reset':
        orders.reset()
        return forget()
    }
  }

  async function rest(): Promise<void> {
    const wasReading = file.endRead !== undefined
    await settled()
    if (wasReading && file.endRead === undefined) noteRead()
    if (broken !== undefined) throw broken
    judge.atRest(waiting)
  }

  function noteRead(): void {
    for (const asked of waiting) {
      if (!asked.waitsForRead) continue
      asked.waitsForRead = false
      asked.readyMs = time.elapsed()
    }
  }

  return {
    async do(step) {
      const wasReading = file.endRead !== undefined
      await take(step)
      if (wasReading && file.endRead === undefined) noteRead()
      await rest()
    },
    async close() {
      orders.reset()
      forget()
      tokens.close()
      await settled()
      if (file.endRead !== undefined) file.endRead()
      await settled()
      await views.close(0)
      inspector.close()
      rmSync(folder, { recursive: true })
      if (broken !== undefined) throw broken
      const [left] = waiting
      if (left !== undefined) {
        throw new Violation('every waiter is answered', `${left.ask.caller} waits for ${left.key} after the end`)
      }
    },
  }
}

function askFor(caller: string, audience: string): Ask {
  const want = { kind: 'id', audience, format: 'standard' } as const
  return { do: 'ask', caller, host: HOSTS[0] as string, account: 'default', want }
}

/** The key of the request that must reach Google: each field as it was asked for. */
function keyFor({ want }: Ask, account: string): string {
  const principal = account === 'own' ? undefined : account
  return want.kind === 'id'
    ? keyOf({ kind: 'id', principal, audience: want.audience, format: want.format })
    : keyOf({ kind: 'access', principal, scopes: want.scopes.split(',').filter(Boolean).sort() })
}
