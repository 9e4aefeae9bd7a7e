/** A server without HTTP, in a world that does what steps say. */

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFile, createGoogle, type FakeFile, type FakeGoogle, keyOf } from './google.ts'
import { type Asked, createJudge, type Judge, Violation } from './judge.ts'
import { accountFor, FLOOD, HOSTS, SETTINGS } from './settings.ts'
import type { Ask, Step } from './steps.ts'
import { type Subject, startSubject } from './subject.ts'
import { createTime, settled, type Time } from './time.ts'

/** A change of the file is seen by the first request after this. */
const SEEN_WITHIN_MS = 1_000

export interface World {
  /** Throws a Violation. */
  do(step: Step): Promise<void>
  /** Stops the server. Throws a Violation. */
  close(): Promise<void>
}

export async function createWorld(): Promise<World> {
  const world = new SimulatedWorld()
  await world.start()
  return world
}

class SimulatedWorld implements World {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sidemint-simulate-'))
  readonly #path = join(this.#folder, 'adc.json')
  readonly #waiting = new Set<Asked>()
  readonly #time: Time = createTime()
  readonly #file: FakeFile
  readonly #google: FakeGoogle
  readonly #judge: Judge
  #server: Subject | undefined
  #epoch = 0
  #writes = 0
  #writtenAtMs = this.#time.atMs
  #inForce = 0
  #broken: Violation | undefined

  constructor() {
    const epoch = () => this.#epoch
    this.#file = createFile(this.#time, (login) => this.#loginRead(login))
    this.#google = createGoogle(
      this.#time,
      epoch,
      (mint) => this.#noting(() => this.#judge.began(mint)),
      (mint) => this.#judge.ended(mint),
    )
    this.#judge = createJudge({ time: this.#time, google: () => this.#google, file: this.#file, epoch })
    this.#write()
  }

  async start(): Promise<void> {
    this.#server = await startSubject({
      time: this.#time,
      file: this.#file,
      google: this.#google,
      path: this.#path,
    })
  }

  async do(step: Step): Promise<void> {
    const wasReading = this.#isReading
    await this.#take(step, this.#subject)
    if (wasReading && !this.#isReading) this.#noteRead()
    await this.#rest()
  }

  async close(): Promise<void> {
    const { orders, tokens, views, inspector } = this.#subject
    orders.reset()
    this.#forget()
    tokens.close()
    await settled()
    this.#file.endRead?.()
    await settled()
    await views.close(0)
    inspector.close()
    rmSync(this.#folder, { recursive: true })
    if (this.#broken !== undefined) throw this.#broken
    const [left] = this.#waiting
    if (left !== undefined) {
      throw new Violation('every waiter is answered', `${left.ask.caller} waits for ${left.key} after the end`)
    }
  }

  get #subject(): Subject {
    if (this.#server === undefined) throw new Error('the world has not started')
    return this.#server
  }

  get #isReading(): boolean {
    return this.#file.endRead !== undefined
  }

  /** What is wrong may be found deep inside of the server, which would answer it. */
  #noting(check: () => void): void {
    try {
      check()
    } catch (thrown) {
      this.#broken ??= thrown as Violation
    }
  }

  #forget(): void {
    this.#epoch += 1
    this.#judge.cleared()
  }

  #loginRead(login: number): void {
    this.#forget()
    for (const asked of this.#waiting) {
      if (asked.waitsForRead) asked.logins.clear()
      asked.logins.add(login)
    }
  }

  /** Each version has a size of its own: a file system's clock may be too coarse for two writes. */
  #write(): void {
    const { content, version } = this.#file
    if (content === 'missing') rmSync(this.#path, { force: true })
    else {
      // Nobody reads it, and a size costs no block of a disk.
      const file = openSync(this.#path, 'a')
      ftruncateSync(file, version % 1_000)
      closeSync(file)
    }
    this.#writtenAtMs = this.#time.atMs
  }

  async #ask(step: Ask): Promise<void> {
    const account = accountFor(this.#inForce, step.caller, step.host, step.account)
    const asked: Asked = {
      ask: step,
      account,
      key: account === undefined ? undefined : keyFor(step, account),
      order: this.#time.next(),
      readyMs: this.#time.elapsed(),
      // A read that begins in its own step was begun by its look.
      waitsForRead: true,
      logins: new Set([this.#file.inForce]),
    }
    this.#waiting.add(asked)
    this.#subject.answerTo(step).then(
      (answer) => {
        this.#waiting.delete(asked)
        this.#noting(() => this.#judge.answered(asked, answer))
      },
      (thrown) => {
        this.#waiting.delete(asked)
        this.#broken ??= thrown
      },
    )
    await settled()
    this.#checkSeen(asked)
  }

  #checkSeen(asked: Asked): void {
    const { readVersion, version, readAtMs } = this.#file
    const isSeen = readVersion === version || this.#isReading
    // The file is looked at once a second of the wall clock: where that was set since the last look, it may be late.
    const isPlain = this.#time.setAtMs < readAtMs
    const sinceMs = this.#time.atMs - this.#writtenAtMs
    asked.waitsForRead = this.#isReading
    if (asked.account !== undefined && !isSeen && isPlain && sinceMs >= SEEN_WITHIN_MS) {
      throw new Violation('nothing of another login', `a login of ${sinceMs} ms ago was not read`)
    }
  }

  async #take(step: Step, { orders, views }: Subject): Promise<void> {
    switch (step.do) {
      case 'ask':
        return this.#ask(step)
      case 'flood':
        for (const audience of FLOOD) await this.#ask(askFor(step.caller, audience))
        return
      case 'answer': {
        const { underWay } = this.#google
        return [...underWay][Math.floor(step.pick * underWay.size)]?.answer(step.fate)
      }
      case 'google':
        this.#google.mode = step.fate
        return
      case 'pass':
        return this.#time.pass(step.ms)
      case 'sleep':
        return this.#sleep(step.ms)
      case 'set clock':
        return this.#time.setWall(step.byMs)
      case 'write login':
        return this.#writeLogin(step)
      case 'end read':
        return this.#file.endRead?.()
      case 'apply':
        this.#inForce = step.settings
        return views.apply(SETTINGS[this.#inForce] as (typeof SETTINGS)[number], () => Buffer.alloc(0))
      case 'reset':
        orders.reset()
        return this.#forget()
    }
  }

  /** Where the clock is set back and nobody looks between that and the sleep, no clock shows how long it was. */
  #sleep(ms: number): void {
    const lookAtClock = () =>
      this.#subject.tokens.leftMs({ value: '', expiresAtMs: 0, served: 'hit', endsAtMs: 0, fp: undefined })
    lookAtClock()
    this.#time.sleep(ms)
    lookAtClock()
  }

  #writeLogin({ login, slow }: Extract<Step, { do: 'write login' }>): void {
    // A file that is missing is the same each time.
    this.#writes += 1
    Object.assign(this.#file, { content: login, slow, version: login === 'missing' ? -1 : this.#writes })
    this.#write()
  }

  async #rest(): Promise<void> {
    const wasReading = this.#isReading
    await settled()
    if (wasReading && !this.#isReading) this.#noteRead()
    if (this.#broken !== undefined) throw this.#broken
    this.#judge.atRest(this.#waiting)
  }

  #noteRead(): void {
    for (const asked of this.#waiting) {
      if (!asked.waitsForRead) continue
      asked.waitsForRead = false
      asked.readyMs = this.#time.elapsed()
    }
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
