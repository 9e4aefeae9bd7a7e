import test from 'ava'
import { createFinder } from '../../src/identity/find.ts'
import type { Identity } from '../../src/identity/identity.ts'
import type { CachedSource } from '../../src/mint/cache.ts'

const identity = (email: string, more: Partial<Identity> = {}): Identity => ({
  email,
  principal: email,
  accounts: [email],
  tokens: {} as CachedSource,
  callers: [],
  hosts: [],
  isDefault: false,
  ...more,
})

const one = identity('one', { callers: ['orders'] })
const range = identity('range', { callers: ['10.9.0.0/16'], hosts: ['range.internal'] })
const host = identity('host', { hosts: ['jobs.internal', 'batch.internal'] })
const rest = identity('rest', { isDefault: true })

interface Asking {
  address?: string
  container?: string
  service?: string
  host?: string
  listener?: Identity
}

function found(all: readonly Identity[], { address = '172.18.0.9', container, service, host = 'a', listener }: Asking) {
  const name = container === undefined ? {} : { name: { container, ...(service === undefined ? {} : { service }) } }
  return createFinder(all)({ caller: { address, ...name }, host, listener })?.email
}

test('a caller is known by its service, by its container and by its address', (t) => {
  const all = [one, range, host, rest]
  t.is(found(all, { container: 'acme-orders-1', service: 'orders' }), 'one')
  t.is(found(all, { container: 'orders' }), 'one')
  t.is(found(all, { container: 'orders', service: 'web' }), 'one')
  t.is(found(all, { container: 'web', service: 'shop' }), 'rest')
  t.is(found(all, { address: '10.9.1.1' }), 'range')
  t.is(found(all, { address: '10.8.1.1' }), 'rest')
})

test('a Host gives an identity that has no callers, and nobody an identity that has', (t) => {
  const all = [one, range, host, rest]
  t.is(found(all, { host: 'Jobs.Internal.:80' }), 'host')
  t.is(found(all, { host: 'batch.internal' }), 'host')
  t.is(found(all, { host: 'range.internal' }), 'rest')
  t.is(found(all, { host: 'jobs.internal', container: 'orders' }), 'one')
  t.is(found([one, rest], { host: 'jobs.internal' }), 'rest')
  t.is(found([one], { host: 'jobs.internal' }), undefined)
})

test('a listener means its identity, for its own callers and for those who are nobody else', (t) => {
  const all = [one, range, host, rest]
  t.is(found(all, { listener: host }), 'host')
  t.is(found(all, { listener: one, container: 'orders' }), 'one')
  t.is(found(all, { listener: one }), 'one')
  t.is(found(all, { listener: range, container: 'orders' }), undefined)
  t.is(found(all, { listener: rest, host: 'jobs.internal' }), 'rest')
})
