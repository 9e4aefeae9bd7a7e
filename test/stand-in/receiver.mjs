// A receiver as it runs in production: no setting, and Google's own library. A line of stdin is a token, a line of
// stdout its verdict.
import { createInterface } from 'node:readline'
import { OAuth2Client } from 'google-auth-library'

const client = new OAuth2Client()
for await (const idToken of createInterface({ input: process.stdin })) {
  try {
    const ticket = await client.verifyIdToken({ idToken, audience: process.env.AUDIENCE })
    console.log(JSON.stringify({ accepted: ticket.getPayload() }))
  } catch (error) {
    console.log(JSON.stringify({ refused: error.message }))
  }
}
