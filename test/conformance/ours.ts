/** Servers of ours that the rules are tested with, one of each kind. */

import test from 'ava'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { createFaultyServer, type Fault } from './faults.ts'
import { KINDS, type Kind } from './kinds.ts'
import { type RuleResult, runRules } from './run.ts'

const servers = new Map<string, Sidemint>()

/** Starts them before the tests of a file. */
export function useServers(): void {
  test.before(async () => {
    for (const [kind, options] of Object.entries(KINDS)) servers.set(kind, await startSidemint(options))
  })
  test.after.always(() => Promise.all([...servers.values()].map((server) => server.close())))
}

export const urlOf = (kind: Kind) => servers.get(kind)?.url ?? ''

/** Which rules fail before a server with the fault. `names`: the rules to run; default all. */
export async function failedWith(
  { of = 'Cloud Run', ...fault }: Fault,
  names?: readonly string[],
): Promise<RuleResult[]> {
  await using faulty = await createFaultyServer(urlOf(of), fault)
  return (await runRules(faulty.url, names)).filter(({ result }) => result === 'failed')
}
