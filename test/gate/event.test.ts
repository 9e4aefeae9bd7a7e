import type { IncomingMessage } from 'node:http'
import test from 'ava'
import { failure } from '../../src/core/errors.ts'
import { fingerprint } from '../../src/core/token.ts'
import type { Decision } from '../../src/gate/decision.ts'
import { gateEvent } from '../../src/gate/event.ts'

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const token = `${encoded({ alg: 'RS256' })}.${encoded({ sub: '113', aud: 'a' })}.c2ln`
const credential = { header: 'authorization', scheme: 'Bearer', token } as const
const req = { method: 'PUT', url: '/a?secret=1', headers: {} } as IncomingMessage

const eventOf = (decision: Partial<Decision>, more: { enforced?: boolean; upstreamStatus?: number } = {}) =>
  gateEvent(req, 5, {
    decision: { isPublic: false, audience: '', principal: '', ...decision },
    host: 'ledger',
    caller: 'orders',
    enforced: true,
    upstreamStatus: undefined,
    tookMs: 7,
    ...more,
  })

test('a call that may pass is told with whom it is for, and one of a public service as that', (t) => {
  const said = { claims: { iss: 'i', sub: '113', aud: 'a' }, trusted: 'i', fp: 'ab' }
  const call = { type: 'gate', at: 5, host: 'ledger', caller: 'orders', method: 'PUT', path: '/a', tookMs: 7 }
  t.like(eventOf({ audience: 'a', principal: 'b', said, credential }, { upstreamStatus: 204 }), {
    ...call,
    decision: 'allow',
    status: undefined,
    code: 'INVOKER',
    reason: '',
    audience: 'a',
    principal: 'b',
    upstreamStatus: 204,
    fp: 'ab',
    claims: said.claims,
  })
  t.like(eventOf({ isPublic: true }), { ...call, code: 'PUBLIC', fp: undefined, claims: undefined })
})

test('a refusal is told with its reason, and in mode report as what would have been', (t) => {
  const refusal = failure('METHOD_UNSUPPORTED', { what: 'TRACE' })
  const refused = eventOf({ refusal })
  t.like(refused, { decision: 'refuse', status: refusal.status, code: 'METHOD_UNSUPPORTED' })
  t.is(refused.reason, `${refusal.message}. Fix: ${refusal.fix}`)
  t.like(eventOf({ refusal }, { enforced: false }), { decision: 'report', status: refusal.status })
})

test('a token that was not verified is told by its claims and its fingerprint, never whole', (t) => {
  const event = eventOf({ credential })
  t.is(event.fp, fingerprint(token))
  t.like(event.claims, { sub: '113', aud: 'a' })
  t.false(JSON.stringify(event).includes('c2ln'))
})
