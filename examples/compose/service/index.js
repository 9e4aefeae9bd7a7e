/**
 * Answers who called, and what the services that it calls answered. It runs so on Cloud Run: it verifies no token, since
 * nobody gets past the front end without a good one.
 */

import { createServer } from 'node:http'
import { GoogleAuth } from 'google-auth-library'

const { PORT = '8080', CALLS = '', REFUSED = '' } = process.env

const urls = (list) => list.split(' ').filter((url) => url !== '')

// At start, since Google's library looks for the metadata server once, and "not there" is its answer from then on.
const services = await Promise.all(
  [...urls(CALLS), ...urls(REFUSED)].map(async (url) => ({
    url,
    client: await new GoogleAuth().getIdTokenClient(url),
  })),
)

createServer(async ({ headers }, response) => {
  const claims = readClaims(headers.authorization)
  const calls = Object.fromEntries(await Promise.all(services.map(call)))
  const status = urls(CALLS).every((url) => calls[nameOf(url)].status === 200) ? 200 : 502
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(`${JSON.stringify({ caller: claims?.email, claims, calls }, null, 2)}\n`)
}).listen(Number(PORT), '0.0.0.0')

function nameOf(url) {
  return new URL(url).hostname.split('.')[0]
}

/** The service's name, and what it answered. */
async function call({ url, client }) {
  const name = nameOf(url)
  try {
    const { status, data } = await client.request({ url, retry: true })
    return [name, { status, ...data }]
  } catch (error) {
    return [name, { status: error.response?.status, error: error.message }]
  }
}

/** The caller's claims. The front end has taken the token's signature off. */
function readClaims(authorization = '') {
  const payload = authorization.split('.')[1]
  return payload && JSON.parse(Buffer.from(payload, 'base64url'))
}

process.on('SIGTERM', () => process.exit())
