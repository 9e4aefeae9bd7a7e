/** What the figures are ratios of: the least server on node:http, sending the answers in a file by their URL. */

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, file] = process.argv.slice(2)
/** Each with its headers, name and value by turns. */
const answers = new Map(JSON.parse(readFileSync(file, 'utf8')))

createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  const { headers, body } = answers.get(request.url)
  response.writeHead(200, headers)
  response.end(body)
}).listen(Number(port), '127.0.0.1')
