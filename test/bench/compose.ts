/** From `docker compose up` to the first call of orders that went all the way to ledger. */

import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, createStack, docker } from '../compose/docker.ts'
import { type Bench, type Row, row, skipped } from './bench.ts'

const WHAT = 'docker compose up, images built → first call orders → billing → ledger'
const ROUNDS = 2
const GIVE_UP_MS = 60_000

export async function benchCompose(_: Bench): Promise<Row[]> {
  const engine = await docker('info', '--format', '{{.ServerVersion}}').catch(() => '')
  if (engine === '') return [skipped(WHAT, 'no container engine runs here')]
  const others = await docker('ps', '--quiet', '--filter', 'label=com.docker.compose.project')
  if (others !== '') return [skipped(WHAT, 'another stack runs here, and Google’s clients know one address')]
  const stack = createStack('sidemint-bench', { files: ['docker-compose.yml'] })
  try {
    await stack.compose('build')
    const seconds: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const startedAt = performance.now()
      await stack.compose('up', '--detach')
      while (!(await reachesLedger(stack))) {
        if (performance.now() - startedAt > GIVE_UP_MS) throw new Error('no call went through to ledger')
        await sleep(20)
      }
      seconds.push((performance.now() - startedAt) / 1000)
      await stack.compose('down', '--volumes', '--timeout', '2')
    }
    return [row({ what: WHAT, unit: 's', figures: { sidemint: seconds }, ours: 'sidemint' })]
  } catch (error) {
    const [reason] = String((error as Error).message)
      .trim()
      .split('\n')
      .slice(-1)
    return [skipped(WHAT, `the stack did not come up: ${reason}`)]
  } finally {
    await stack.down().catch(() => {})
  }
}

async function reachesLedger({ askOrders }: ReturnType<typeof createStack>): Promise<boolean> {
  const { status, body } = await askOrders().catch(() => ({ status: 0, body: { calls: {} } as Answer }))
  return status === 200 && body.calls.billing?.calls.ledger?.status === 200
}
