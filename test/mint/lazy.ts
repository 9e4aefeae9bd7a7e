/**
 * Servers with Google credentials in a process of their own, one for each file that is named: prints whether Google's
 * library was loaded, before the first mint and after it, whether Koa was, and what the mints came to.
 */

import { registerHooks } from 'node:module'

const loaded = new Set<string>()
registerHooks({
  resolve(specifier, context, next) {
    loaded.add(specifier)
    return next(specifier, context)
  },
})

const { startServer } = await import('../../src/server.ts')
const { settle } = await import('../../src/config/layers.ts')
const [account, ...files] = process.argv.slice(2)
const settings = settle({ options: { port: 0, source: 'auto', impersonateServiceAccount: [account] } })
const start = (file: string) => startServer({ settings, env: { ...process.env, GOOGLE_APPLICATION_CREDENTIALS: file } })
const servers = await Promise.all(files.map(start))
const before = loaded.has('google-auth-library')
const outcomes: string[] = []
for (const { primary, close } of servers) {
  const request = { kind: 'id', principal: primary.email, audience: 'https://x.example', format: 'full' } as const
  outcomes.push(
    await primary.tokens.mint(request).then(
      () => 'minted',
      ({ code }) => code,
    ),
  )
  await close()
}
console.log(JSON.stringify({ before, after: loaded.has('google-auth-library'), koa: loaded.has('koa'), outcomes }))
