/**
 * A public service: anybody may call. Who calls with a token is told what it says, verified by the keys that its issuer
 * publishes. The same code runs on Cloud Run.
 */

import { createServer } from 'node:http'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const { PORT = '8080', AUDIENCE, ISSUER = 'https://accounts.google.com' } = process.env

let keys

createServer(async ({ headers }, response) => {
  if (headers.authorization === undefined) return answer(response, 200, {})
  try {
    keys ??= await discoverKeys()
    const token = headers.authorization.replace(/^Bearer /i, '')
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: AUDIENCE })
    answer(response, 200, { caller: payload.email, claims: payload })
  } catch (error) {
    answer(response, error instanceof errors.JOSEError ? 401 : 503, { error: error.message })
  }
}).listen(Number(PORT), '0.0.0.0')

async function discoverKeys() {
  const discovery = await fetch(`${ISSUER}/.well-known/openid-configuration`)
  const { jwks_uri } = await discovery.json()
  return createRemoteJWKSet(new URL(jwks_uri))
}

function answer(response, status, data) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(data, null, 2)}\n`)
}

process.on('SIGTERM', () => process.exit())
