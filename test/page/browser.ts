/** A real Chromium. */

import { existsSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type Browser, chromium, type Page } from 'playwright-core'

export const EDITOR_WIDTH = { width: 360, height: 740 }

const PLACES = ['/usr/bin/chromium', '/usr/bin/google-chrome']

/** As root, and in a container without user namespaces, it has no sandbox. */
export function startBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place))
  if (executablePath === undefined)
    throw new Error('no browser. Fix: apt-get install chromium, or set CHROMIUM to its path')
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}

export interface OpenOptions {
  colorScheme?: 'light' | 'dark'
  viewport?: { width: number; height: number }
}

/** The page, and what it complained of: refusals of its policy, and errors. */
export async function openPage(t: ExecutionContext, browser: Browser, url: string, options: OpenOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 800 }, ...options })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective))`,
  )
  await page.goto(url)
  await page.locator('.minter:not(.none)').waitFor()
  return { page, complaints }
}

export function isWiderThanScreen(page: Page): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
}
