/** What clients do to the server in a soak, each thing with its share, and what they must be answered. */

import { createClient } from './client.ts'
import { createGateActs } from './gate-acts.ts'
import { createOtherActs } from './other-acts.ts'
import type { Part } from './part.ts'
import type { Subject } from './subject.ts'
import { AUDIENCES, createTokenActs } from './token-acts.ts'

export interface Acts {
  /** One thing that a client does, by chance. Never rejects. */
  act(): Promise<void>
  /** A burst of `count` plain requests, for what the server remembers of the last ones. */
  burst(count: number): Promise<void>
  /** The clients leave: their kept connections end. */
  leave(): void
  /** What was wrong, the first of them in words. */
  wrong: { count: number; first: string[] }
  /** Answers that Google was too late: it never is by itself, but runs on the same machine. */
  tooLate(): number
  /** How often each thing was done. */
  done: Record<string, number>
  /** Tokens whose owner, audience and end were looked at. */
  checked(): number
  /** Ms that a request for a token took whose audience is asked for all the time. */
  tookMs: number[]
}

type Kind = readonly [name: string, share: number, work: () => Promise<unknown>]

export function createActs({ callers, port, gatePort, google }: Subject, random: () => number): Acts {
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const wrong: Acts['wrong'] = { count: 0, first: [] }
  const done: Record<string, number> = {}
  let tooLate = 0

  function complain(what: string): void {
    if (what.includes('UPSTREAM_TIMEOUT')) {
      tooLate += 1
      return
    }
    wrong.count += 1
    if (wrong.first.length < 20) wrong.first.push(what.replace(/<[^>]*>|\s+/g, ' ').slice(0, 400))
  }

  const client = createClient()
  const part: Part = { callers, port, gatePort, google, random, one, complain, ...client }
  const tokens = createTokenActs(part)
  const kinds = kindsOf(part, tokens)

  async function attempt(name: string, work: () => Promise<unknown>): Promise<void> {
    done[name] = (done[name] ?? 0) + 1
    try {
      await work()
    } catch (error) {
      complain(`${name}: ${(error as Error).message}`)
    }
  }

  return {
    wrong,
    done,
    tookMs: tokens.tookMs,
    checked: tokens.checked,
    tooLate: () => tooLate,
    act() {
      let chance = random()
      const kind = kinds.find(([, share]) => {
        chance -= share
        return chance < 0
      })
      const [name, , work] = kind ?? (kinds[0] as Kind)
      return attempt(name, work)
    },
    async burst(count) {
      const line = async () => {
        for (let left = count / 16; left > 0; left -= 1)
          await attempt('tokens of the burst', () => tokens.idToken(one(callers), AUDIENCES[0] as string))
      }
      await Promise.all(Array.from({ length: 16 }, line))
    },
    leave: client.leave,
  }
}

function kindsOf(part: Part, tokens: ReturnType<typeof createTokenActs>): readonly Kind[] {
  const { callGate, upload } = createGateActs(part, tokens)
  const { waitForChange, page, orderFault, breakOff } = createOtherActs(part)
  return [
    ['tokens of known audiences', 0.72, tokens.hit],
    ['tokens of new audiences', 0.02, tokens.newAudience],
    ['requests that must be refused', 0.05, tokens.refused],
    ['waits for a change', 0.03, waitForChange],
    ['calls through the gate', 0.1, () => callGate()],
    ['uploads through the gate', 0.02, upload],
    ['pages and event streams', 0.02, page],
    ['connections broken off', 0.03, breakOff],
    ['ordered faults', 0.01, orderFault],
  ]
}
