import test from 'ava'
import { describeDifference, nearest } from '../../src/gate/likeness.ts'

const HASHED = 'https://ledger-abc123-uc.a.run.app'
const NUMBERED = 'https://ledger-123456789012.europe-west1.run.app'
const LOCAL = 'http://ledger:8080'

test('what a wrong audience has that the right one has not is said in a few words', (t) => {
  const rows: [aud: string, own: string, said: string][] = [
    [`${LOCAL}/`, LOCAL, 'with a slash at its end'],
    [LOCAL, `${LOCAL}/`, 'without the slash at its end'],
    [` ${LOCAL}`, LOCAL, 'with a space around it'],
    [`${LOCAL}\n`, LOCAL, 'with a space around it'],
    ['HTTP://Ledger:8080', LOCAL, 'in other upper and lower case'],
    ['ledger', 'Ledger', 'in other upper and lower case'],
    [`"${LOCAL}"`, LOCAL, 'with quotes around it'],
    [`'${LOCAL}'`, LOCAL, 'with quotes around it'],
    ['ledger:8080', LOCAL, 'without http:// before it'],
    ['http%3A%2F%2Fledger%3A8080', LOCAL, 'percent-encoded'],
    ['ledger', LOCAL, 'by its host alone'],
    ['http://ledger.:8080', LOCAL, 'with a dot after its host'],
    ['http://ann@ledger:8080', LOCAL, 'with a user before its host'],
    ['http://:canary@ledger:8080', LOCAL, 'with a user before its host'],
    [`${LOCAL}?a`, LOCAL, 'with a query after it'],
    [`${LOCAL}?a`, `${LOCAL}?b`, 'with another query'],
    [`${LOCAL}#a`, LOCAL, 'with a fragment after it'],
    [`${LOCAL}#a`, `${LOCAL}#b`, 'with another fragment'],
    [HASHED.slice(8), HASHED, 'without https:// before it'],
    ['https://ledger:8080', LOCAL, 'with https in place of http'],
    ['http://ledger', 'https://ledger', 'with http in place of https'],
    [`${LOCAL}/a/b?c`, LOCAL, 'with another path (/a/b)'],
    ['http://ledger:9090', LOCAL, 'with another port (9090)'],
    ['http://ledger', LOCAL, 'with another port (none)'],
    ['https://ledger:8443', LOCAL, 'with another port (8443)'],
    [HASHED.replace('abc123', 'zzz999'), HASHED, 'in another project or region'],
    [HASHED.replace('uc', 'ew'), HASHED, 'in another project or region'],
    [NUMBERED.replace('europe', 'asia'), NUMBERED, 'in another project or region'],
    [NUMBERED, HASHED, 'by its other URL, or in another project or region'],
    [HASHED, NUMBERED, 'by its other URL, or in another project or region'],
  ]
  for (const [aud, own, said] of rows) t.is(describeDifference(aud, [own]), `is ${own} ${said}`, aud)
})

test('an audience that differs in more than one way is not described', (t) => {
  const rows: [aud: string, own: string][] = [
    ['api', LOCAL],
    [LOCAL, 'api'],
    ['http://orders:8080', LOCAL],
    [HASHED.replace('ledger', 'orders'), HASHED],
    [HASHED, NUMBERED.replace('ledger', 'orders')],
    ['https://ledger.example', HASHED],
    [HASHED, 'https://ledger.example'],
  ]
  for (const [aud, own] of rows) t.is(describeDifference(aud, [own]), undefined, `${aud} for ${own}`)
  t.is(describeDifference(LOCAL, []), undefined)
})

test('long and invisible parts of an audience are cut and escaped', (t) => {
  const path = (length: number) => `/${'a'.repeat(length - 1)}`
  t.is(describeDifference(LOCAL + path(200), [LOCAL]), `is ${LOCAL} with another path (${path(200)})`)
  t.is(describeDifference(LOCAL + path(201), [LOCAL]), `is ${LOCAL} with another path (${path(200)}…)`)
  t.is(describeDifference('A\u202e', ['a\u202e']), 'is a\\u202e in other upper and lower case')
})

test('of several audiences the one that looks most like it is compared, by its first 500 characters', (t) => {
  t.is(nearest('http://ledger:9090', ['http://orders:8080', LOCAL, HASHED]), LOCAL)
  t.is(nearest('a1', ['a2', 'b1']), 'a2', 'the first of those that are equally near')
  t.is(nearest('a', []), undefined)
  const long = (same: number, last: string) => 'a'.repeat(same) + last
  t.is(nearest(long(499, 'x'), [long(499, 'y'), long(499, 'x')]), long(499, 'x'))
  t.is(nearest(long(500, 'x'), [long(500, 'y'), long(500, 'x')]), long(500, 'y'))
})
