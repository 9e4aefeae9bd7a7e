/** docs/gate.md, "Who may invoke" */

import test from 'ava'
import { asFailure } from '../../src/core/errors.ts'
import { admits, createInvokers, type Principal, whyNotInGroup, whyUnusable } from '../../src/gate/members.ts'
import { accountId } from '../../src/issuer/account-id.ts'

const ann: Principal = { email: 'ann@acme.com', hostedDomain: 'acme.com' }
const orders: Principal = { email: 'orders@acme-dev.iam.gserviceaccount.com' }

test('each kind of member admits whom it names and nobody else', (t) => {
  const rows: [member: string, admitted: Principal, refused: Principal][] = [
    ['user:Ann@Acme.com', ann, { email: 'bob@acme.com' }],
    ['serviceAccount:orders@acme-dev.iam.gserviceaccount.com', orders, ann],
    ['domain:acme.com', ann, { email: 'ann@evil-acme.com' }],
    ['domain:acme.com', { email: 'bob@acme.com' }, { email: 'bob@acme.com', hostedDomain: 'other.com' }],
    ['domain:acme.com', { email: 'ann@gmail.com', hostedDomain: 'acme.com' }, { hostedDomain: 'acme.com' }],
    ['domain:acme.com', ann, { email: 'x@acme.com@evil.com' }],
    ['group:eng@acme.com', ann, orders],
  ]
  const groups = { 'eng@acme.com': ['user:ann@acme.com'] }
  for (const [member, admitted, refused] of rows) {
    const invokers = createInvokers([member], groups)
    t.true(admits(invokers, admitted), member)
    t.false(admits(invokers, refused), member)
    t.false(invokers.everyone, member)
  }
})

test('allAuthenticatedUsers admits any principal, allUsers everybody, and no member nobody', (t) => {
  t.true(admits(createInvokers(['allAuthenticatedUsers']), {}))
  t.true(createInvokers(['allUsers']).everyone)
  t.false(admits(createInvokers([]), ann))
})

test('groups hold groups, also each other, and a group that nobody described is named and empty', (t) => {
  const groups = {
    'All@acme.com': ['group:eng@acme.com', 'domain:partner.com'],
    'eng@acme.com': ['user:ann@acme.com', 'group:all@acme.com', 'group:lost@acme.com'],
  }
  const invokers = createInvokers(['group:all@acme.com'], groups)
  t.true(admits(invokers, ann))
  t.true(admits(invokers, { email: 'x@partner.com' }))
  t.false(admits(invokers, orders))
  t.deepEqual(invokers.unknownGroups, new Set(['lost@acme.com']))
})

test("a deleted account's binding admits nobody and is no error", (t) => {
  const invokers = createInvokers(['deleted:user:ann@acme.com?uid=123456789012345678901'])
  t.false(admits(invokers, ann))
})

test('a member that no ID token can speak for admits nobody, and is named', (t) => {
  const pool = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p'
  const members = [`principal:${pool}/subject/s`, `principalSet:${pool}/*`, 'serviceAccount:p.svc.id.goog[ns/ksa]']
  const invokers = createInvokers([...members, 'user:ann@acme.com'])
  t.deepEqual(invokers.unnamable, new Set(members))
  t.deepEqual(invokers.emails, new Set(['ann@acme.com']))
})

test('a member that cannot be honoured is refused at start, and never ignored', (t) => {
  const rows: [member: string, said: RegExp][] = [
    ['projectOwner:acme-dev', /the kind projectOwner: is not known/],
    [':ann@acme.com', /the kind "": is not known/],
    ['user', /names no email/],
    ['domain:', /names no domain/],
    ['group:eng', /names no email/],
    ['ann@acme.com', /it has no kind before it \(did you mean user:ann@acme\.com\?\)$/],
    ['Orders@acme-dev.iam.gserviceaccount.com', /\(did you mean serviceAccount:orders@acme-dev\.iam\.gserv\S+\?\)$/],
    ['allusers', /it has no kind before it \(did you mean allUsers\?\)$/],
    ['everybody', /it has no kind before it$/],
    ['user:ann', /names no email/],
    ['serviceAccount:', /names no email/],
    ['domain:ann@acme.com', /names no domain/],
    ['user:orders@acme-dev.iam.gserviceaccount.com', /IAM wants serviceAccount:/],
  ]
  for (const [member, said] of rows) {
    const error = t.throws(() => createInvokers([member]), undefined, member)
    t.is(asFailure(error).code, 'MEMBER_UNUSABLE', member)
    t.regex(asFailure(error).message, said)
  }
  for (const everyone of ['allUsers', 'allAuthenticatedUsers']) {
    t.throws(() => createInvokers(['group:eng@acme.com'], { 'eng@acme.com': [everyone] }), {
      message: `the member ${everyone} cannot be used: it cannot be in the group eng@acme.com`,
    })
    t.regex(whyNotInGroup('eng@acme.com', everyone)?.message ?? '', /cannot be in the group eng@acme\.com$/)
    t.is(whyUnusable(everyone), undefined)
  }
  t.regex(whyNotInGroup('eng@acme.com', 'ann')?.message ?? '', /no kind before it/)
  t.is(whyNotInGroup('eng@acme.com', 'user:ann@acme.com'), undefined)
})

test('a service account is known by the subject that a local issuer gives it, and a user is not', (t) => {
  const email = 'orders@acme-dev.iam.gserviceaccount.com'
  const invokers = createInvokers([`serviceAccount:${email}`, 'user:ann@acme.com', 'domain:acme.com'])
  t.deepEqual(invokers.subjects, new Map([[accountId(email), email]]))
  t.deepEqual(invokers.emails, new Set([email, 'ann@acme.com']))
  t.deepEqual(invokers.domains, new Set(['acme.com']))
  t.false(invokers.authenticated)
})
