import test from 'ava'
import { isEmptyVariable, whyNotJwt } from '../../src/gate/not-a-token.ts'

test('what came in the place of a JWT is said by its kind, and not quoted', (t) => {
  const rows: [text: string, said: string][] = [
    ['ya29.secret', 'it is an access token'],
    ['sidemint-local-access-token.secret', 'it is an access token'],
    ['1//secret', 'it is a refresh token'],
    ['AIzasecret', 'it is an API key'],
    ['eyJh.b.c.d.e', 'it is encrypted (a JWE), and an ID token is only signed'],
    ['null', 'it is the word "null", so the caller had no token'],
    ['secret', 'it is not a JWT'],
    ['eyJh.secret', 'it has 2 parts, where a JWT has 3'],
    ['eyJh.b.secret', 'it is not a JWT: its header or its payload is not JSON'],
    ['eyJh.b.secret==', 'it is written in base64, where a JWT has base64url without padding'],
    ["b'eyJh.b.secret'", 'it is a JWT with other characters around it'],
  ]
  for (const [text, said] of rows) t.is(whyNotJwt(text), said)
})

test('what languages and shells write for a variable that holds nothing is known, and shown to 200 characters', (t) => {
  for (const text of ['undefined', 'None', '[object Promise]', '$TOKEN', '$_', '<your token>']) {
    t.true(isEmptyVariable(text), text)
  }
  for (const text of ['undefined1', 'a null', '$a$b']) t.false(isEmptyVariable(text), text)
  const long = `$${'a'.repeat(200)}`
  t.is(whyNotJwt(long), `it is the word "${long.slice(0, 200)}", so the caller had no token`)
})
