/** docs/gate.md, "Headers and the signature" */

import test from 'ava'
import { asFailure } from '../../src/core/errors.ts'
import { readCredential, stripped } from '../../src/gate/credential.ts'

const read = (...rawHeaders: string[]) => readCredential(rawHeaders, 'http://ledger:8080')
const refusedWith = (...rawHeaders: string[]) => {
  try {
    return read(...rawHeaders).token
  } catch (error) {
    return asFailure(error).code
  }
}

test('the one token is found whatever the case of header and scheme', (t) => {
  t.is(read('Host', 'x', 'AUTHORIZATION', 'bearer  a.b.c').token, 'a.b.c')
  t.is(
    read('X-Serverless-Authorization', 'Bearer a.b.c', 'Authorization', 'Basic x').header,
    'x-serverless-authorization',
  )
})

test('none is TOKEN_MISSING, more than one TOKENS_SEVERAL', (t) => {
  const rows: [rawHeaders: string[], code: string][] = [
    [[], 'TOKEN_MISSING'],
    [['X-Note', 'Authorization'], 'TOKEN_MISSING'],
    [['X-Same-Length', 'Bearer a.b.c'], 'TOKEN_MISSING'],
    [['Authorization', ''], 'TOKEN_MISSING'],
    [['Authorization', 'Bearer'], 'TOKEN_MISSING'],
    [['Authorization', 'Bearer '], 'TOKEN_MISSING'],
    [['Authorization', 'Basic YTpi'], 'TOKEN_MISSING'],
    [['Authorization', 'a.b.c'], 'TOKEN_MISSING'],
    [['Authorization', 'Bearer a.b.c', 'X-Serverless-Authorization', 'Basic YTpi'], 'TOKEN_MISSING'],
    [['Authorization', 'Bearer a.b.c d.e.f'], 'TOKENS_SEVERAL'],
    [['Authorization', 'Bearer a.b.c,d.e.f'], 'TOKENS_SEVERAL'],
    [['Authorization', 'Bearer a.b.c, Bearer d.e.f'], 'TOKENS_SEVERAL'],
    [['Authorization', 'Bearer a.b.c', 'authorization', 'Bearer a.b.c'], 'TOKENS_SEVERAL'],
    [['X-Serverless-Authorization', 'Bearer a.b.c', 'x-serverless-authorization', 'x'], 'TOKENS_SEVERAL'],
  ]
  for (const [rawHeaders, code] of rows) t.is(refusedWith(...rawHeaders), code, rawHeaders.join(' '))
})

test('the reason says what came instead of a token, and never shows what may be a credential', (t) => {
  const rows: [rawHeaders: string[], found: string][] = [
    [[], 'no Authorization header'],
    [['Authorization', ''], 'authorization holds no Bearer token'],
    [['Authorization', 'Bearer'], 'authorization holds no Bearer token'],
    [['Authorization', 'secret-token'], 'authorization holds no Bearer token'],
    [['Authorization', 'basically-secret'], 'authorization holds no Bearer token'],
    [['Authorization', 'eyJhbGci.e30.'], 'authorization holds a token without Bearer before it'],
    [['Authorization', 'Basic YTpi'], 'authorization has the scheme Basic'],
    [['X-Serverless-Authorization', 'negotiate'], 'x-serverless-authorization has the scheme negotiate'],
    [['Authorization', 'DIGEST,x'], 'authorization has the scheme DIGEST'],
  ]
  for (const [rawHeaders, found] of rows) {
    const { message } = asFailure(t.throws(() => read(...rawHeaders)))
    t.is(message, `the request carries no ID token (${found})`)
  }
})

test('several words after Bearer are not always several tokens', (t) => {
  const message = (value: string) => asFailure(t.throws(() => read('Authorization', value))).message
  t.regex(message('Bearer <your token>'), /it is a placeholder that was not filled in, so the caller had no token$/)
  t.regex(message('Bearer [object Object]'), /it is the word "\[object Object\]", so the caller had no token$/)
  t.regex(message('Bearer bearer a.b.c'), /the word Bearer stands before it twice$/)
})

test('a refusal shows nothing of a secret that stands where a word for nothing may stand, or beside one', (t) => {
  for (const value of ['[object Object] canary', '[object Object], canary', '[object canary]', '<my canary>']) {
    const { message, fix } = asFailure(t.throws(() => read('Authorization', `Bearer ${value}`)))
    t.notRegex(message + fix, /canary/, value)
  }
})

test('the fix names the audience, and the server where commands would ask another one', (t) => {
  const fix = (...args: Parameters<typeof readCredential>) => asFailure(t.throws(() => readCredential(...args))).fix
  t.regex(fix([]), /`sidemint token --audience {2}--format full` prints one$/)
  t.regex(fix([], 'a'), /`sidemint token --audience a --format full` prints one$/)
  t.regex(fix([], 'a', 'http://b'), /`sidemint token --audience a --format full --server http:\/\/b` prints one$/)
})

test('the refusal of several tokens names the header that has them', (t) => {
  const message = (...rawHeaders: string[]) => asFailure(t.throws(() => read(...rawHeaders))).message
  const twice = (name: string) => [name, 'Bearer a', name, 'Bearer b']
  t.regex(message(...twice('Authorization')), /several tokens in several authorization headers$/)
  t.regex(message(...twice('X-Serverless-Authorization')), /in several x-serverless-authorization headers$/)
  t.regex(message('Authorization', 'Bearer a b'), /several tokens in authorization$/)
})

test('the signature is taken off where the setting says so', (t) => {
  const own = read('Authorization', 'Bearer a.b.c')
  const serverless = read('X-Serverless-Authorization', 'Bearer a.b.c')
  const without = 'Bearer a.b.SIGNATURE_REMOVED_BY_GOOGLE'
  t.deepEqual([stripped(own, 'both'), stripped(serverless, 'both')], [without, without])
  t.deepEqual([stripped(own, 'serverless-only'), stripped(serverless, 'serverless-only')], ['Bearer a.b.c', without])
  t.deepEqual([stripped(own, 'never'), stripped(serverless, 'never')], ['Bearer a.b.c', 'Bearer a.b.c'])
})
