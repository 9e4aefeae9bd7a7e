/**
 * A server with Google credentials in a process of its own: prints whether Google's library was loaded, before the
 * first mint and after it, and what the mint came to.
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
const settings = settle({ options: { port: 0, source: 'auto', impersonateServiceAccount: [process.argv[2]] } })
const server = await startServer({ settings, env: process.env })
const before = loaded.has('google-auth-library')
const { primary } = server
const outcome = await primary.tokens
  .mint({ kind: 'id', principal: primary.email, audience: 'https://x.example', format: 'full' })
  .then(
    () => 'minted',
    ({ code }) => code,
  )
await server.close()
console.log(JSON.stringify({ before, after: loaded.has('google-auth-library'), outcome }))
