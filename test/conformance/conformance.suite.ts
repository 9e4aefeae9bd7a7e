/** Every fault with all rules: none fails but those that the fault is for. */

import test from 'ava'
import { FAULTS } from './faults.ts'
import { failedWith, useServers } from './ours.ts'
import { findsNoToken } from './output.ts'
import { NAMES } from './run.ts'

useServers()

/** It takes two seconds, so it runs only where it is meant. */
const SLOW = 'waiting'

for (const fault of FAULTS) {
  test.serial(`${fault.finds.join(' and ')} alone find that ${fault.title}`, async (t) => {
    const names = NAMES.filter((name) => name !== SLOW || fault.finds.includes(SLOW))
    const failed = await failedWith(fault, names)
    t.deepEqual(
      failed.map(({ rule }) => rule),
      [...fault.finds],
      JSON.stringify(failed),
    )
  })
}

test('no rule prints a token, wherever the server answers one', async (t) => {
  await findsNoToken(t)
})
