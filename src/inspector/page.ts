/** The page that shows the inspector's data. It is loaded when it is first asked for. */

import type { Routes } from '../http/app.ts'
import type { Page } from './bundle.ts'
import { HEADERS } from './headers.ts'

/** Nothing from another host, nothing inline, nothing made from text; no page may embed it (CSP Level 3, Trusted Types). */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

export function createPageRoutes(): Routes {
  let loading: Promise<Page> | undefined
  const load = () => {
    loading ??= import('./bundle.ts').then(({ bundlePage }) => bundlePage())
    return loading
  }

  return (router) => {
    const answer = (path: string, type: string, part: (page: Page) => string) =>
      router.get(`/_sidemint/${path}`, async (ctx) => {
        ctx.set({ ...HEADERS, 'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer' })
        ctx.type = type
        ctx.body = part(await load())
      })

    answer('', 'html', ({ html }) => html)
    answer('page.js', 'js', ({ script }) => script)
    answer('page.css', 'css', ({ style }) => style)
  }
}
