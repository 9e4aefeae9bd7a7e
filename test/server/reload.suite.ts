/** The same as in reload.test.ts, as often as CI can afford. */

import test from 'ava'
import { rewriteUnderLoad } from './followed.ts'

test('a settings file that is rewritten byte by byte under load, 200 times, gives nobody an identity that neither file gives', async (t) => {
  t.timeout(600_000)
  await rewriteUnderLoad(t, 200)
})
