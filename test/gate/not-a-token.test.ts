import test from 'ava'
import { whyEmpty, whyNotJwt } from '../../src/gate/not-a-token.ts'

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

test('what is left where a variable holds nothing is known, and quoted only where it is a well-known word', (t) => {
  const rows: [text: string, what: string | undefined][] = [
    ['undefined', 'the word "undefined"'],
    ['None', 'the word "None"'],
    ['[object Object]', 'the word "[object Object]"'],
    ['[object Promise]', 'the word "[object Promise]"'],
    ['[object Secret]', 'what JavaScript writes for an object'],
    ['$TOKEN', 'a variable that was not filled in'],
    ['$_', 'a variable that was not filled in'],
    [`\${${'a'.repeat(200)}}`, 'a variable that was not filled in'],
    ['<your token>', 'a placeholder that was not filled in'],
    ['undefined1', undefined],
    ['a null', undefined],
    ['$a$b', undefined],
    ['[object', undefined],
    ['[object Object] secret', undefined],
    ['[object Object', undefined],
    ['x [object Array]', undefined],
    ['[object Array] x', undefined],
    ['x$TOKEN', undefined],
    ['x<your token>', undefined],
    ['<your token>x', undefined],
  ]
  for (const [text, what] of rows) t.is(whyEmpty(text), what && `it is ${what}, so the caller had no token`, text)
})
