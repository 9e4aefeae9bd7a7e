/** Takes the pictures of docs/page: `npm run screenshots`. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { openPage, startBrowser } from './browser.ts'
import { DEMO, startSeeded } from './stack.ts'

const OUT = join(import.meta.dirname, '..', '..', 'docs', 'page')

test('the views, light and dark', async (t) => {
  mkdirSync(OUT, { recursive: true })
  const browser = await startBrowser()
  t.teardown(() => browser.close())
  const { page: url, call } = await startSeeded(t, DEMO)
  for (let times = 0; times < 12; times += 1)
    for (const [from, all] of Object.entries(DEMO)) for (const to of all) if (from !== 'web') call(from, to)
  call('orders', 'ledger')
  call('web', 'orders')
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await openPage(t, browser, url, { colorScheme, viewport: { width: 760, height: 820 } })
    const shoot = async (name: string) => {
      await page.evaluate('scrollTo(0, 0)')
      await page.screenshot({ path: join(OUT, `${name}-${colorScheme}.png`) })
    }
    await page.locator('.hops > li', { hasText: 'NOT_AN_INVOKER' }).locator('> a').click()
    await page.locator('.opened').waitFor()
    await shoot('hops')
    for (const [name, part] of [
      ['map', 'svg'],
      ['setup', 'dl'],
    ] as const) {
      await page.goto(`${url}#${name}`)
      await page.locator(part).waitFor()
      await shoot(name)
    }
  }
  t.pass()
})
