/** The gate's proxy library alone: everything to one upstream, with the agent that the gate gives it. */

import http from 'node:http'
import { createProxyServer } from 'httpxy'

const [port, target] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, timeout: 1_000 })
const proxy = createProxyServer({ target })
http.createServer((request, response) => proxy.web(request, response, { agent })).listen(Number(port), '127.0.0.1')
