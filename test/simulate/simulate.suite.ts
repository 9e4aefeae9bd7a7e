import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { BROKEN } from './broken.ts'
import { describeFailure, simulate } from './run.ts'

test('every invariant of cache, identities and reload holds over 100,000 steps', async (t) => {
  t.timeout(600_000)
  const failure = await simulate(3, 100_000)
  t.is(failure && describeFailure(failure), undefined)
})

for (const { wrong, invariants } of BROKEN) {
  test(`within 10,000 steps of the first seed it is found that ${wrong}`, async (t) => {
    t.timeout(120_000)
    const main = new URL('main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [main, '--seed=1', '--steps=10000', '--broken', wrong])
    const [said] = await Promise.all([text(child.stderr), text(child.stdout)])
    t.log(said)
    t.regex(said, /^seed \d+, step \d+: /)
    t.true(
      invariants.some((invariant) => said.includes(`: ${invariant}: `)),
      said,
    )
  })
}
