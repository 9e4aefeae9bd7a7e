import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import {
  createIdentity,
  createOwnIdentity,
  describeInherited,
  identityLabel,
  listNamed,
} from '../../src/identity/identity.ts'
import type { CachedSource } from '../../src/mint/cache.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const CI = 'ci@acme-dev.iam.gserviceaccount.com'
const tokens = {} as CachedSource
const settings = (options: Record<string, unknown> = {}) => settle({ options })
const inheriting = { CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT: `${CI},${ORDERS}` }

const NOTHING = { callers: [], hosts: [], accounts: [] }
const CHAIN = { serviceAccount: ORDERS, delegates: [CI], ...NOTHING }

test('the default identity is named by a setting, else by the file, else by the variable of gcloud', (t) => {
  const identities = [{ serviceAccount: CI, callers: ['ci'] }]
  const names = (options: Record<string, unknown>, env: NodeJS.ProcessEnv = inheriting) => {
    const { named, needsDefault } = listNamed(settings(options), env)
    return [named.map(({ serviceAccount }) => serviceAccount), needsDefault]
  }
  t.deepEqual(listNamed(settings(), inheriting), { named: [CHAIN], needsDefault: false })
  t.deepEqual(listNamed(settings({ impersonateServiceAccount: [CI, ORDERS] }), {}).named, [CHAIN])
  t.deepEqual(listNamed(settings({ serviceAccount: ORDERS }), {}).named, [{ ...CHAIN, delegates: [] }])
  t.deepEqual(names({ serviceAccount: CI }), [[CI], false])
  t.deepEqual(names({ identities }), [[CI], false])
  t.deepEqual(names({ identities, serviceAccount: ORDERS }), [[CI, ORDERS], false])
  t.deepEqual(names({}, {}), [[], true])
})

test('what becomes of the variable of gcloud is said', (t) => {
  const said = (options: Record<string, unknown>, env: NodeJS.ProcessEnv = inheriting) =>
    describeInherited(settings(options), env)
  const name = 'CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT'
  t.is(said({}), `the default identity is the one that ${name} names`)
  t.is(said({ serviceAccount: CI }), `${name} is set and not used: a setting names the default identity`)
  t.is(said({ identities: [{ serviceAccount: CI }] }), `${name} is set and not used: the file names the identities`)
  t.is(said({}, {}), undefined)
  t.is(said({}, { [name]: '' }), undefined)
})

test('a named identity mints for its account, may name its other accounts, and is the default where nothing binds it', (t) => {
  t.deepEqual(createIdentity({ ...CHAIN, accounts: [CI, ORDERS] }, tokens), {
    email: ORDERS,
    principal: ORDERS,
    accounts: [ORDERS, CI],
    tokens,
    callers: [],
    hosts: [],
    isDefault: true,
  })
  t.like(createIdentity({ ...CHAIN, hosts: ['Jobs.Internal.'], port: 0 }, tokens), {
    hosts: ['jobs.internal'],
    port: 0,
    isDefault: false,
  })
  t.false(createIdentity({ ...CHAIN, callers: ['orders'] }, tokens).isDefault)
})

test("the credential's own account is the default, and is called by its email where that is known", (t) => {
  const known = createOwnIdentity(ORDERS, tokens)
  const own = { principal: undefined, tokens, callers: [], hosts: [], isDefault: true }
  t.deepEqual(known, { email: ORDERS, accounts: [ORDERS], ...own })
  t.is(identityLabel(known), ORDERS)
  const unknown = createOwnIdentity(undefined, tokens)
  t.deepEqual(unknown, { email: undefined, accounts: [], ...own })
  t.is(identityLabel(unknown), "the credential's own account")
})
