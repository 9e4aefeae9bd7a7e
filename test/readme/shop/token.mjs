/** The reader's own test, as any that asks for a token by Google's library. */

import { equal } from 'node:assert'
import { test } from 'node:test'
import { GoogleAuth } from 'google-auth-library'

test('orders gets a token for billing', async () => {
  const client = await new GoogleAuth().getIdTokenClient('https://billing.example')
  const headers = await client.getRequestHeaders()
  const [, payload] = headers.get('authorization').split('.')
  equal(JSON.parse(Buffer.from(payload, 'base64url')).aud, 'https://billing.example')
})
