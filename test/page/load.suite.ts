/** A page that stays open while very much happens. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { openPage, startBrowser } from './browser.ts'
import { DEMO, startSeeded } from './stack.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const MB = 1024 * 1024
/** Events between two moments in which the server answers the page. */
const BURST = 2_000

test('after a million events of ten thousand kinds, the server and the open page hold no more than after the first', async (t) => {
  const browser = await startBrowser()
  t.teardown(() => browser.close())
  const { page: url, call } = await startSeeded(t, DEMO)
  const { page, complaints } = await openPage(t, browser, url)
  const devtools = await page.context().newCDPSession(page)
  let made = 0
  const make = async (upTo: number) => {
    while (made < upTo) {
      // One half are requests for tokens.
      for (let times = 0; times < BURST / 2; times += 1)
        call('orders', 'ledger', { path: `/${(made + times) % 10_000}` })
      made += BURST
      await new Promise((resolve) => setImmediate(resolve))
    }
    await page.locator('h1', { hasText: `${upTo / 2} calls` }).waitFor()
  }
  const measure = async () => {
    collect()
    await devtools.send('HeapProfiler.collectGarbage')
    const { usedSize } = await devtools.send('Runtime.getHeapUsage')
    return { server: process.memoryUsage().heapUsed / MB, page: usedSize / MB }
  }
  await make(100_000)
  const early = await measure()
  await make(1_000_000)
  const late = await measure()
  t.log(JSON.stringify({ early, late }))
  t.true(late.server - early.server < 8, 'server')
  t.true(late.page - early.page < 8, 'page')
  t.true((await page.locator('.hops > li').count()) <= 100)
  t.deepEqual(complaints, [])
})
