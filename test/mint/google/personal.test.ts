import test from 'ava'
import type { TokenRequest } from '../../../src/core/token.ts'
import type { Credential } from '../../../src/mint/adc.ts'
import type { Client } from '../../../src/mint/google/client.ts'
import { refusePerson } from '../../../src/mint/google/personal.ts'

const json = { client_id: 'c', client_secret: 's', refresh_token: 'r' }
const USER: Credential = { kind: 'user', json }
const WORKFORCE: Credential = { kind: 'workforce', json }
const ID: TokenRequest = { kind: 'id', principal: undefined, audience: 'https://a.example', format: 'full' }
const ACCESS: TokenRequest = { kind: 'access', principal: undefined, scopes: [] }

const token = async () => ({ value: 'token', expiresAtMs: 0, served: 'mint' }) as const
const WITHOUT: Client = { accessToken: token, holder: () => ({ name: 'the login', member: 'user:a@x' }) }
const WITH: Client = { ...WITHOUT, idToken: token }

for (const [title, credential, request, client, code, said] of [
  ['an access token of a user', USER, ACCESS, WITH, 'USER_TOKENS_NOT_ALLOWED', 'are a user login'],
  ['an ID token of a user', USER, ID, WITH, 'USER_TOKEN_AUDIENCE', 'a user login cannot'],
  ['an access token of a pool', WORKFORCE, ACCESS, WITHOUT, 'USER_TOKENS_NOT_ALLOWED', 'are a workforce login'],
  ['an ID token of a pool, which has none', WORKFORCE, ID, WITHOUT, 'CREDENTIALS_CANNOT_MINT', 'the login has no ID'],
  ['an ID token of a pool that has them', WORKFORCE, ID, WITH, 'USER_TOKENS_NOT_ALLOWED', 'are a workforce login'],
] as const) {
  test(`a person's own tokens are refused: ${title}`, (t) => {
    const error = refusePerson(credential, request, () => client)
    t.like(error, { code, status: 403 })
    t.true(error.message.includes(said), error.message)
  })
}
