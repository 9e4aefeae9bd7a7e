import test from 'ava'
import { createKnownTokens, nameOf } from '../../src/gate/known.ts'

test('a thousand tokens are known; with the next one only that one is', (t) => {
  const known = createKnownTokens()
  const signed = { trusted: '', claims: {}, fp: '', isKept: () => true }
  for (let at = 0; at < 1_000; at += 1) known.add(`${at}`, signed)
  t.is(known.get('0'), signed)
  known.add('1000', signed)
  t.is(known.get('0'), undefined)
  t.is(known.get('1000'), signed)
})

test("a token's name is not the token", (t) => {
  t.is(nameOf('a.b.c'), 'hF4wRIgJ4ryJWOsCW/x5UjXROwd6U9DDq70jhRcNybg=')
})
