/** The page in a real browser. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test from 'ava'
import type { Browser, Page } from 'playwright-core'
import type { GateEvent } from '../../src/core/events.ts'
import { ask } from '../http-client.ts'
import { EDITOR_WIDTH, isWiderThanScreen, openPage, startBrowser } from './browser.ts'
import { DEMO, FIFTEEN, startSeeded, startStack } from './stack.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const VIEWS = ['#hops', '#map', '#setup']

let browser: Browser
test.before(async () => {
  browser = await startBrowser()
})
test.after.always(() => browser?.close())

const row = (page: Page, text: string) => page.locator('.hops > li', { hasText: text })

test.serial(
  'a call appears without a reload, opens, and a refused one names its reason and two lines to copy',
  async (t) => {
    const stack = await startStack(t)
    const { page, complaints } = await openPage(t, browser, stack.page)
    await page.getByText('Nothing has happened yet').waitFor()
    t.is(await stack.call('orders', '/orders/17?secret=1', 'orders'), 200)
    await row(page, '/orders/17').waitFor()
    t.is(await stack.call('ledger', '/entries', 'ledger'), 403)
    t.is(await stack.call('ledger', '/entries', 'orders'), 401)
    t.is(await stack.call('ledger', '/entries'), 403)
    t.is(await stack.call('ledger', '/entries'), 403)
    await row(page, 'TOKEN_MISSING').getByText('×2, last').waitFor()
    t.is(await page.locator('h1').textContent(), '3 services, 5 calls, 4 refused: 127.0.0.1 → ledger TOKEN_MISSING')
    t.is(await page.locator('.minter').textContent(), 'local tokens')

    await row(page, 'NOT_AN_INVOKER').locator('> a').click()
    const opened = page.locator('.opened')
    await opened.waitFor()
    const text = (await opened.textContent()) ?? ''
    t.regex(text, /First to fail: the check “email”: the account must be an invoker/)
    t.regex(text, /127\.0\.0\.1 last got a token for http:\/\/ledger:8080/)
    t.regex(text, /claim.*iss.*exp.*aud.*email/s)
    const lines = await opened.locator('.line code').allTextContents()
    t.deepEqual(lines, [
      'invoker: [serviceAccount:billing@acme-dev.iam.gserviceaccount.com, serviceAccount:web@acme-dev.iam.gserviceaccount.com]',
      'gcloud run services add-iam-policy-binding ledger --member=serviceAccount:web@acme-dev.iam.gserviceaccount.com --role=roles/run.invoker --region=REGION --project=acme-dev',
    ])
    const address = new URL(page.url()).hash
    t.regex(address, /^#hop-[0-9a-f]{8}$/)
    await page.reload()
    await page.locator('.opened').waitFor()
    t.regex((await page.locator('.opened').textContent()) ?? '', /NOT_AN_INVOKER|invoker/)
    t.false((await page.content()).includes('secret'))

    for (const [code, fix] of [
      ['TOKEN_MISSING', 'Fix: send `Authorization: Bearer TOKEN`'],
      ['AUDIENCE_WRONG', 'Fix: ask for a token with an audience of this service'],
    ] as const) {
      await row(page, code).locator('> a').click()
      await opened.getByText(fix).waitFor()
      t.is(await opened.locator('.line').count(), 0, code)
    }
    t.deepEqual(complaints, [])
  },
)

test.serial('it goes on after the server was away', async (t) => {
  const first = await startSeeded(t, DEMO)
  const { page } = await openPage(t, browser, first.page)
  await first.server.close()
  await page.getByText('not connected').waitFor()
  const second = await startSeeded(t, DEMO, Number(new URL(first.server.url).port))
  second.call('orders', 'billing')
  await row(page, '/billing/17').waitFor()
  t.pass()
})

test.serial('the list holds still under the pointer, filters, and is used by keyboard', async (t) => {
  const { page: url, call } = await startSeeded(t, DEMO)
  call('orders', 'billing')
  call('orders', 'ledger')
  const { page } = await openPage(t, browser, url)
  await row(page, 'INVOKER').first().hover()
  for (let times = 0; times < 12; times += 1) call('billing', 'ledger')
  await page.getByRole('button', { name: '12 new' }).waitFor()
  t.is(await row(page, 'billing → ledger').count(), 0)
  await page.mouse.move(1, 1)
  await row(page, 'billing → ledger').getByText('×12').waitFor()

  await page.getByLabel('refused only').check()
  await row(page, 'billing → ledger').waitFor({ state: 'detached' })
  t.is(await page.locator('.hops > li').count(), 1)
  t.true(page.url().endsWith('#hops?refused=1'))
  await page.getByLabel('refused only').uncheck()
  await page.locator('select').first().selectOption('billing')
  await row(page, 'orders → ledger').waitFor({ state: 'detached' })
  await page.locator('select').last().focus()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.locator('.opened').waitFor()
  t.pass()
})

test.serial('a call whose answer its service broke off says so, and why', async (t) => {
  const { page: url, call, events } = await startSeeded(t, DEMO)
  const event = call('orders', 'billing') as GateEvent
  const { page } = await openPage(t, browser, url)
  await row(page, '/billing/17').getByText('200 INVOKER').waitFor()
  const reason = 'the upstream failed: ECONNRESET. Fix: start the service'
  events.record({ type: 'cut', at: Date.now(), call: event, code: 'UPSTREAM_FAILED', reason })
  await row(page, '/billing/17').getByText('200 INVOKER, broke off').locator('xpath=ancestor::a').click()
  await page.locator('.opened').getByText(`1 answer broke off, the last one just now: ${reason}`).waitFor()
  t.pass()
})

for (const [name, viewport] of [
  ['wide', { width: 1100, height: 800 }],
  ['beside an editor', EDITOR_WIDTH],
] as const) {
  test.serial(`no two labels of a map of fifteen services in circles overlap: ${name}`, async (t) => {
    const { page: url, call, names } = await startSeeded(t, FIFTEEN)
    for (const from of names) for (const to of FIFTEEN[from] ?? []) call(from, to)
    const { page } = await openPage(t, browser, `${url}#map`, { viewport })
    await page.locator('.label.call').nth(59).waitFor()
    const labels: { text: string; x: number; y: number; width: number; height: number }[] = await page.evaluate(`
      [...document.querySelectorAll('.label')].filter(({ textContent }) => textContent !== '').map((label) => {
        const { x, y, width, height } = label.getBoundingClientRect()
        return { text: label.textContent, x, y, width, height }
      })`)
    t.is(labels.length, 15 * 2 + 30 * 2)
    const overlaps = labels.flatMap((one, at) =>
      labels.slice(at + 1).flatMap((other) => {
        const apart =
          one.x + one.width <= other.x ||
          other.x + other.width <= one.x ||
          one.y + one.height <= other.y + 1 ||
          other.y + other.height <= one.y + 1
        return apart ? [] : [`${one.text} | ${other.text}`]
      }),
    )
    t.deepEqual(overlaps, [])
    await page.locator('svg a').first().click()
    await page.locator('.hops').waitFor()
    t.regex(page.url(), /#hops\?service=/)
  })
}

test.serial('a caller without an identity is warned of on the map, with the line to copy', async (t) => {
  const { page: url, call } = await startSeeded(t, DEMO)
  call('web', 'orders')
  call('orders', 'public')
  const { page } = await openPage(t, browser, `${url}#map`)
  await page.locator('.warning').waitFor()
  t.is(
    await page.locator('.warning code').textContent(),
    '- { serviceAccount: web@acme-dev.iam.gserviceaccount.com, callers: [web] } # under identities:',
  )
  t.is(await page.locator('.box.nameless').count(), 1)
  t.is(await page.locator('.arrow.ungated').count(), 1)
})

for (const colorScheme of ['light', 'dark'] as const) {
  test.serial(`axe finds nothing, and the policy refuses nothing: ${colorScheme}`, async (t) => {
    const { page: url, call } = await startSeeded(t, DEMO)
    const { page, complaints } = await openPage(t, browser, url, { colorScheme })
    const found: string[] = []
    const look = async (where: string) => {
      const result = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
        `${AXE};axe.run(document)`,
      )
      found.push(
        ...result.violations.map(({ id, nodes }) => `${where}: ${id} ${nodes.map(({ html }) => html).join(' ')}`),
      )
    }
    await look('empty')
    for (const [from, all] of Object.entries(DEMO)) for (const to of all) call(from, to)
    call('web', 'billing')
    call('orders', 'ledger')
    call('public', 'ledger')
    for (const view of VIEWS) {
      await page.goto(`${url}${view}`)
      await page.locator('.hops > li, svg, dl').first().waitFor()
      await look(view)
    }
    await page.goto(`${url}#hops`)
    await row(page, 'NOT_AN_INVOKER').first().locator('> a').click()
    await page.locator('.opened').waitFor()
    await page.locator('.opened summary').click()
    await look('opened')
    t.deepEqual(found, [])
    t.deepEqual(complaints, [])
  })
}

test.serial(
  'markup, invisible characters and long texts are shown as text, and 360 px are enough for all of it',
  async (t) => {
    const { page: url, call, events } = await startSeeded(t, DEMO)
    const ugly = `http://<img src=x onerror=alert(1)>\u202egnp.exe/${'a'.repeat(8_000)}`
    const path = `/<script>alert(1)</script>${'x'.repeat(200)}`
    call('orders', 'ledger', {
      path,
      code: 'AUDIENCE_WRONG',
      claims: { aud: ugly, email: `"<b>${'e'.repeat(900)}` },
      host: ugly,
    })
    call('web', 'orders', { caller: `<b>${'c'.repeat(300)}` })
    const asked = { kind: 'id', audience: ugly, scopes: [], identity: '', caller: 'orders', result: 'error' } as const
    events.record({
      type: 'request',
      at: Date.now(),
      ...asked,
      status: 400,
      code: 'AUDIENCE_NOT_ALLOWED',
      reason: ugly,
      tookMs: 0,
    })
    const { page, complaints } = await openPage(t, browser, url, { viewport: EDITOR_WIDTH })
    page.on('dialog', () => t.fail('a script ran'))
    for (const view of VIEWS) {
      await page.goto(`${url}${view}`)
      await page.locator('.hops > li, svg, dl').first().waitFor()
      t.false(await isWiderThanScreen(page), view)
      t.false((await page.content()).includes('\u202e'))
    }
    await page.goto(`${url}#hops`)
    for (const text of ['AUDIENCE_WRONG', 'AUDIENCE_NOT_ALLOWED', 'TOKEN_MISSING']) {
      await row(page, text).locator('> a').click()
      await page.locator('.opened').waitFor()
      t.false(await isWiderThanScreen(page), text)
      t.is(await page.locator('main img, main script, main b').count(), 0)
    }
    t.deepEqual(complaints, [])
  },
)

test.serial('the page is at most 60 kB, and is made of nothing from elsewhere', async (t) => {
  const { server } = await startSeeded(t, DEMO)
  let bytes = 0
  for (const part of ['', 'page.js', 'page.css']) {
    const { status, headers, body } = await ask(server.url, `/_sidemint/${part}`)
    t.is(status, 200)
    const policy = String(headers['content-security-policy'])
    t.true(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"))
    t.false(/unsafe|http|\*/.test(policy))
    bytes += Buffer.byteLength(body)
  }
  t.log(`${bytes} bytes`)
  t.true(bytes < 60_000)
})
