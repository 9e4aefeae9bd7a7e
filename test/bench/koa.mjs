/** Koa with one middleware that writes past its response: what the guard would cost behind Koa, without its own work. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** As in the shipped bundle: the ES module face of node:http loads undici with it. */
const { createServer } = process.getBuiltinModule('node:http')
const Koa = createRequire(import.meta.url)('koa')

const [port, file] = process.argv.slice(2)
const answers = new Map(JSON.parse(readFileSync(file, 'utf8')))

const app = new Koa()
app.silent = true
app.use(async (ctx) => {
  const { headers, body } = answers.get(ctx.req.url)
  ctx.respond = false
  ctx.res.writeHead(200, headers)
  ctx.res.end(body)
})
createServer({ keepAliveTimeout: 75_000 }, app.callback()).listen(Number(port), '127.0.0.1')
