/**
 * Applies the settings file, and the policies that it names, while the process runs. They are looked at once a second,
 * since bind mounts on Macs report no changes, and count once two looks in a row saw the same: YAML that is cut at a
 * line's end is YAML too, and may give one identity to everybody.
 */

import { isDeepStrictEqual } from 'node:util'
import { asFailure, failure, withFix } from '../core/errors.ts'
import type { NoticeEvent } from '../core/events.ts'
import { type ReadFile, type Snapshot, takeSnapshot, Unreadable } from '../core/snapshot.ts'
import { LOOK_EVERY_MS } from '../core/watched-file.ts'
import { parseSettings, type SettingsFile } from './file.ts'
import type { SettingName, Settings } from './settings.ts'
import { SETTINGS } from './table.ts'

/** What is applied while the process runs; every other setting counts from the next start on. */
const LIVE: readonly SettingName[] = ['metadata', 'identities', 'gates', 'allowAudience', 'allowHost']

export interface FollowOptions {
  /** What is in force at the start. */
  settings: Settings
  /** Absent: there is none, and only policies are looked at. */
  file?: SettingsFile | undefined
  /** The settings with this data in the file. Throws SETTINGS_INVALID. */
  settle(data: unknown): Settings
  /** What settings cannot be together, as problems. */
  check(settings: Settings): string[]
  report: (level: NoticeEvent['level'], code: string, text: string) => void
  /** What reads files. Default: the disk. */
  readFile?: ReadFile | undefined
}

/** Puts settings in force, all or none. `readFile` gives policies as they were when the settings were read. */
export type Apply = (settings: Settings, readFile: ReadFile) => Promise<void>

export interface Follower {
  /** For the start: what it reads is what later looks are compared with. */
  readFile: ReadFile
  /** One look. Never rejects. */
  look(apply: Apply): Promise<void>
  /** Looks once a second from now on, and keeps no process alive by it. */
  start(apply: Apply): void
  /** Ends the looking; resolves once nothing is being applied. */
  stop(): Promise<void>
}

export function createFollower(options: FollowOptions): Follower {
  const follower = new FileFollower(options)
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  return {
    readFile: follower.readFile,
    look: (apply) => follower.look(apply),
    start(apply) {
      timer = setInterval(() => {
        looking ??= follower.look(apply).finally(() => {
          looking = undefined
        })
      }, LOOK_EVERY_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      await looking
    },
  }
}

class FileFollower {
  readonly #options: FollowOptions
  readonly #path: string | undefined
  #settings: Settings
  /** What the file says, where it differs from what is in force. */
  #said: Settings
  /** The files as they were when what is in force was read from them. */
  #inForce: Snapshot
  /** The files as the last look saw them. */
  #seen: Snapshot
  /** Those that could not be applied, which was reported. */
  #refused: Snapshot | undefined

  constructor(options: FollowOptions) {
    const { file, settings, readFile } = options
    const disk = takeSnapshot(readFile)
    this.#options = options
    this.#path = file?.isRegular ? file.path : undefined
    this.#settings = settings
    this.#said = settings
    this.#inForce = takeSnapshot((path) => (path === file?.path ? file.bytes : disk.read(path)))
    this.#inForce.see(this.#paths())
    this.#seen = this.#inForce
  }

  readonly readFile: ReadFile = (path) => this.#inForce.read(path)

  async look(apply: Apply): Promise<void> {
    const now = takeSnapshot(this.#options.readFile)
    const before = this.#seen
    const paths = this.#paths()
    now.see(paths)
    this.#seen = now
    if (now.equals(this.#inForce, paths)) this.#refused = undefined
    else if (now.equals(before, paths) && !this.#refused?.equals(now, paths)) await this.#take(now, before, apply)
  }

  #paths(): string[] {
    return [...(this.#path === undefined ? [] : [this.#path]), ...policiesOf(this.#settings)]
  }

  async #take(now: Snapshot, before: Snapshot, apply: Apply): Promise<void> {
    const { report } = this.#options
    try {
      const said = await this.#read(now)
      const next = { ...this.#settings, ...pickLive(said) }
      const problems = this.#options.check(next)
      if (problems.length > 0) throw failure('SETTINGS_INVALID', { problems: problems.join('\n') })
      const policies = policiesOf(next)
      now.see(policies)
      // A policy that was not named before was not looked at before: the next look decides.
      if (!now.equals(before, policies)) return
      const changed = this.#changed(next, now)
      if (changed.length > 0) await apply(next, now.read)
      const waiting = NAMES.filter((name) => differs(said, next, name) && differs(said, this.#said, name))
      this.#inForce = now
      this.#settings = next
      this.#said = said
      if (changed.length > 0) report('info', 'SETTINGS_APPLIED', `applied without a restart: ${changed.join(', ')}`)
      if (waiting.length > 0) {
        report('warn', 'RESTART_NEEDED', `${this.#path}: ${waiting.join(', ')} changed. Fix: restart sidemint`)
      }
    } catch (thrown) {
      this.#refused = now
      const { message, fix } = asFailure(thrown)
      const text = withFix({ message: `${message.replaceAll('\n', '; ')}; the settings before stay in force`, fix })
      report('error', 'SETTINGS_NOT_APPLIED', text)
    }
  }

  /** What the file says now. Throws SETTINGS_INVALID. */
  async #read(now: Snapshot): Promise<Settings> {
    const path = this.#path
    if (path === undefined) return this.#said
    const bytes = now.seen(path)
    const problems: string[] = []
    if (bytes instanceof Unreadable) problems.push(`${path}: cannot be read (${bytes.message})`)
    const data = bytes instanceof Buffer ? await parseSettings(path, bytes) : undefined
    // Comments alone are what is left of a file that is being written as often as they are meant.
    if (problems.length === 0 && (data === null || data === undefined)) problems.push(`${path}: ${NOTHING}`)
    if (problems.length > 0) throw failure('SETTINGS_INVALID', { problems: problems.join('\n') })
    return this.#options.settle(data)
  }

  /** Names of what differs from what is in force. */
  #changed(next: Settings, now: Snapshot): string[] {
    const kept = policiesOf(this.#settings).filter((path) => policiesOf(next).includes(path))
    return [
      ...LIVE.filter((name) => differs(next, this.#settings, name)),
      ...kept.filter((path) => !now.equals(this.#inForce, [path])).map((path) => `policy ${path}`),
    ]
  }
}

const NOTHING = 'says nothing (comments alone do not count); where that is meant, write {}'

const NAMES = Object.keys(SETTINGS) as SettingName[]

function differs(one: Settings, other: Settings, name: SettingName): boolean {
  return !isDeepStrictEqual(one[name], other[name])
}

function pickLive(settings: Settings): Partial<Settings> {
  return Object.fromEntries(LIVE.map((name) => [name, settings[name]]))
}

function policiesOf({ policy, gates }: Settings): string[] {
  return [policy, ...gates.map((gate) => gate.policy)].filter((path) => path !== undefined)
}
