import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { fuzzFiles } from './fuzz.ts'
import { fuzzSchema } from './fuzz-schema.ts'

// One after the other and with a turn of the event loop between: ava takes a process that reports nothing for hung.
for (let seed = 2; seed < 12; seed += 1) {
  test.serial(`a thousand odd settings files and credential files of the seed ${seed}`, async (t) => {
    await turn()
    fuzzFiles(t, seed, 1_000)
  })
  test.serial(
    `of two thousand settings files of the seed ${seed} the JSON Schema and the reader accept the same ones`,
    async (t) => {
      await turn()
      fuzzSchema(t, seed, 2_000)
    },
  )
}
