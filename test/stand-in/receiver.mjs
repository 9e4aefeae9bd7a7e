// A service as it runs on Cloud Run: Google's own library, and no setting. A line of stdin is a token to verify or a text
// to sign, as JSON; a line of stdout is what came of it.
import { createInterface } from 'node:readline'
import { GoogleAuth, OAuth2Client } from 'google-auth-library'

const client = new OAuth2Client()
for await (const line of createInterface({ input: process.stdin })) {
  const { idToken, text } = JSON.parse(line)
  try {
    if (text === undefined) {
      const ticket = await client.verifyIdToken({ idToken, audience: process.env.AUDIENCE })
      console.log(JSON.stringify({ accepted: ticket.getPayload() }))
    } else {
      console.log(JSON.stringify({ signature: await new GoogleAuth().sign(text) }))
    }
  } catch (error) {
    console.log(JSON.stringify({ refused: error.message }))
  }
}
