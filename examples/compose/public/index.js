/**
 * A public service: anybody may call. Who calls with a token is told what it says, verified by Google's own library. The
 * same code runs on Cloud Run.
 */

import { createServer } from 'node:http'
import { OAuth2Client } from 'google-auth-library'

const { PORT = '8080', AUDIENCE } = process.env

const client = new OAuth2Client()

createServer(async ({ headers }, response) => {
  if (headers.authorization === undefined) return answer(response, 200, {})
  const idToken = headers.authorization.replace(/^Bearer /i, '')
  try {
    const ticket = await client.verifyIdToken({ idToken, audience: AUDIENCE })
    const claims = ticket.getPayload()
    answer(response, 200, { caller: claims.email, claims })
  } catch (error) {
    // A message of the library holds the token that it refuses.
    console.error(error.message.replaceAll(idToken, 'the token'))
    answer(response, 401, { error: 'the token is not valid here' })
  }
}).listen(Number(PORT), '0.0.0.0')

function answer(response, status, data) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(data, null, 2)}\n`)
}

process.on('SIGTERM', () => process.exit())
