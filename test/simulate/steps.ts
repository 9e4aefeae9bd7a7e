/** What may happen to a server, as data: a run can be printed, cut short and done again. */

import { HOUR, MINUTE, SECOND } from '../clock.ts'
import { AUDIENCES, CALLERS, FLOOD, HOSTS, LOGINS, PATHS, SCOPES, SETTINGS } from './settings.ts'

/** What Google does with a mint. */
export type Fate = { lifeMs: number } | { fails: 'passing' | 'for good' }

export interface Ask {
  do: 'ask'
  caller: string
  host: string
  account: string
  want: { kind: 'id'; audience: string; format: 'standard' | 'full' } | { kind: 'access'; scopes: string }
}

export type Step =
  | Ask
  /** One caller asks for more audiences than are kept, and then for the first again. */
  | { do: 'flood'; caller: string }
  /** Google answers one of the mints that are under way; `pick` from 0 up to 1 says which. */
  | { do: 'answer'; pick: number; fate: Fate }
  /** From now on Google answers each mint at once, or none before a step says so. */
  | { do: 'google'; fate: Fate | 'slow' }
  /** Time passes for everybody. */
  | { do: 'pass'; ms: number }
  /** The machine sleeps: time passes for the wall clock and for Google. */
  | { do: 'sleep'; ms: number }
  /** The wall clock is set. */
  | { do: 'set clock'; byMs: number }
  /** The credential file is written: a login by its number, or what cannot be read. */
  | { do: 'write login'; login: number | 'broken' | 'missing'; slow: boolean }
  /** A slow read of the credential file ends. */
  | { do: 'end read' }
  | { do: 'apply'; settings: number }
  | { do: 'reset' }

const LIVES = [HOUR, HOUR, 30 * MINUTE, 10 * MINUTE, 5 * MINUTE, 150 * SECOND, 70 * SECOND, 0]
const PAUSES = [
  1,
  100,
  299,
  300,
  1_000,
  2_999,
  3_000,
  10_000,
  MINUTE,
  2 * MINUTE,
  4 * MINUTE,
  4 * MINUTE,
  5 * MINUTE,
  20 * MINUTE,
]
const SLEEPS = [10 * SECOND, 10 * MINUTE, 58 * MINUTE, 8 * HOUR]
const JUMPS = [-2 * HOUR, -10 * MINUTE, -2_000, -500, 500, 10 * MINUTE, 2 * HOUR]

/** The share of requests that ask for one of the last few again. */
const AGAIN = 0.5
const RECENT = 3

export function createSteps(random: () => number): () => Step {
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T

  /** Clients ask again for what they asked for: what follows from that is seldom seen where each question is another. */
  const recent: Ask[] = []

  function ask(): Ask {
    if (random() < AGAIN && recent.length > 0) return one(recent)
    const asked = anyAsk()
    recent.push(asked)
    if (recent.length > RECENT) recent.shift()
    return asked
  }

  function anyAsk(): Ask {
    const want: Ask['want'] =
      random() < 0.7
        ? { kind: 'id', audience: one(AUDIENCES), format: random() < 0.3 ? 'full' : 'standard' }
        : { kind: 'access', scopes: one(SCOPES) }
    return { do: 'ask', caller: one(CALLERS), host: one(HOSTS), account: one(PATHS), want }
  }

  function fate(): Fate {
    const chance = random()
    if (chance < 0.65) return { lifeMs: one(LIVES) }
    return { fails: chance < 0.88 ? 'passing' : 'for good' }
  }

  function login(): Step {
    const login = random() < 0.7 ? Math.floor(random() * LOGINS.length) : random() < 0.7 ? 'broken' : 'missing'
    return { do: 'write login', login, slow: random() < 0.4 }
  }

  /** Chance alone seldom makes these, and each has broken a server. */
  const SCENES: readonly (() => Step[])[] = [
    function sleepAmidWait() {
      const asked = ask()
      const before: Step[] = [{ do: 'google', fate: { lifeMs: one(LIVES) } }, asked, { do: 'pass', ms: 6 * MINUTE }]
      return [
        ...before,
        { do: 'google', fate: 'slow' },
        asked,
        { do: 'sleep', ms: one(SLEEPS) },
        { do: 'pass', ms: 300 },
      ]
    },
    function loginAmidMint() {
      const asked = ask()
      const login = { do: 'write login', login: Math.floor(random() * LOGINS.length), slow: false } as const
      const before: Step[] = [{ do: 'google', fate: 'slow' }, asked, login, { do: 'pass', ms: 1_000 }, ask()]
      return [...before, { do: 'answer', pick: 0, fate: { lifeMs: HOUR } }, asked]
    },
    function twoHitsWhileRefreshed() {
      const asked = ask()
      const before: Step[] = [{ do: 'google', fate: { lifeMs: HOUR } }, asked, { do: 'pass', ms: 4 * MINUTE }]
      return [...before, { do: 'google', fate: 'slow' }, asked, asked]
    },
    function setBackWhileNobodyAsks() {
      const asked = ask()
      const ms = one([5 * MINUTE, 20 * MINUTE, HOUR])
      return [asked, { do: 'set clock', byMs: MINUTE - ms }, { do: 'pass', ms }, asked]
    },
  ]

  /** Each with its share of all steps; a scene is several, one after the other. */
  const kinds: readonly [number, () => Step | Step[]][] = [
    [0.545, ask],
    [0.01, () => ({ do: 'flood', caller: one(CALLERS) })],
    [0.12, () => ({ do: 'answer', pick: random(), fate: fate() })],
    [0.07, () => ({ do: 'google', fate: random() < 0.6 ? 'slow' : fate() })],
    [0.14, () => ({ do: 'pass', ms: one(PAUSES) })],
    [0.01, () => ({ do: 'sleep', ms: one(SLEEPS) })],
    [0.02, () => ({ do: 'set clock', byMs: one(JUMPS) })],
    [0.03, login],
    [0.025, () => ({ do: 'end read' })],
    [0.012, () => ({ do: 'apply', settings: Math.floor(random() * SETTINGS.length) })],
    [0.003, () => ({ do: 'reset' })],
    [0.02, () => one(SCENES)()],
  ]
  function choose(): Step | Step[] {
    let chance = random()
    for (const [share, make] of kinds) {
      chance -= share
      if (chance < 0) return make()
    }
    return ask()
  }

  const ahead: Step[] = []
  return () => {
    if (ahead.length === 0) ahead.push(...[choose()].flat())
    return ahead.shift() as Step
  }
}

/** For people: one line. */
export function describeStep(step: Step): string {
  switch (step.do) {
    case 'ask': {
      const { caller, host, account, want } = step
      const what = want.kind === 'id' ? `${want.audience} ${want.format}` : `scopes ${want.scopes || 'none'}`
      return `${caller} asks ${host} as ${account} for ${what}`
    }
    case 'flood':
      return `${step.caller} asks for ${FLOOD.length - 1} audiences, and for the first again`
    case 'answer':
      return `Google answers the mint at ${step.pick.toFixed(2)} of those under way: ${describeFate(step.fate)}`
    case 'google':
      return step.fate === 'slow'
        ? 'Google answers nothing by itself'
        : `Google answers all: ${describeFate(step.fate)}`
    case 'pass':
      return `${step.ms} ms pass`
    case 'sleep':
      return `the machine sleeps for ${step.ms} ms`
    case 'set clock':
      return `the wall clock is set by ${step.byMs} ms`
    case 'write login':
      return `the credential file becomes ${step.login}${step.slow ? ', and is read slowly' : ''}`
    case 'end read':
      return 'the slow read of the credential file ends'
    case 'apply':
      return `settings ${step.settings} are put in force`
    case 'reset':
      return 'a test orders a reset'
  }
}

function describeFate(fate: Fate): string {
  return 'lifeMs' in fate ? `a token of ${fate.lifeMs} ms` : `a failure ${fate.fails}`
}
