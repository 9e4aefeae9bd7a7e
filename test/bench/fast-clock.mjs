/** A server whose clock runs fast, from the shipped library: refreshes that take minutes come every few seconds. */

import { startSidemint } from '../../dist/index.js'

const [port, anchor, speed] = process.argv.slice(2).map(Number)
await startSidemint({ port, source: 'google', now: () => anchor + (Date.now() - anchor) * speed })
