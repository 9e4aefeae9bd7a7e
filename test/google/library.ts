/**
 * google-auth-library as an application uses it, in a process of its own: `node library.ts ADC_FILE AUDIENCE` prints
 * `{ idToken, accessToken, claims }`, with the message of what failed in the place of what could not be had. The
 * claims are those that the library verified against Google's certificates.
 */
import { readFileSync } from 'node:fs'
import { GoogleAuth, JWT, OAuth2Client } from 'google-auth-library'

interface Client {
  getAccessToken(): Promise<{ token?: string | null }>
  fetchIdToken?(audience: string): Promise<string>
}

const [, , file = '', audience = ''] = process.argv
const scopes = 'https://www.googleapis.com/auth/cloud-platform'
const adc = JSON.parse(readFileSync(file, 'utf8'))
const auth = new GoogleAuth({ keyFilename: file, scopes, projectId: 'acme-dev' })
const client: Client = await auth.getClient()
// The library sends scope and target_audience together where a client has scopes; Google refuses that.
const idClient: Client = client instanceof JWT ? new JWT({ email: adc.client_email, key: adc.private_key }) : client

async function message<T>(attempt: () => Promise<T>): Promise<T | { failed: string }> {
  return attempt().catch((error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }))
}

const accessToken = await message(async () => (await client.getAccessToken()).token)
const idToken = await message(async () => (await idClient.fetchIdToken?.(audience)) ?? { failed: 'no such method' })
const claims =
  typeof idToken === 'string'
    ? await message(async () => (await new OAuth2Client().verifyIdToken({ idToken })).getPayload())
    : undefined
console.log(JSON.stringify({ accessToken, idToken, claims }))
