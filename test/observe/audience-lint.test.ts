import test from 'ava'
import { createEvents, type RequestEvent, type SidemintEvent } from '../../src/core/events.ts'
import { adviseOn, lintAudiences } from '../../src/observe/audience-lint.ts'

for (const [audience, advice] of [
  ['https://billing-x.a.run.app', undefined],
  ['https://billing-x.a.run.app/v1/pay', /has a path/],
  ['https://europe-west1-acme.cloudfunctions.net/pay', undefined],
  ['https://billing-x.a.run.app/', /ends in a slash/],
  ['https://billing.acme.com/', /ends in a slash/],
  ['http://billing.acme.com', /http:\/\//],
  ['http://localhost:8080', /local name/],
  ['http://billing:8080', /local name/],
  ['https://127.0.0.1', /local name/],
  ['https://www.googleapis.com/oauth2/v4/token', /access tokens/],
  ['https://storage.googleapis.com', /access tokens/],
  ['https://evilgoogleapis.com', undefined],
  ['32555940559.apps.googleusercontent.com', undefined],
  ['anything', undefined],
  ['https://billing-undefined-uc.a.run.app', /holds undefined: the variable/],
  ['undefined', /holds undefined/],
  ['https://null', /holds null/],
  ['None', /holds None/],
  ['[object Object]', /holds \[object Object\]/],
  ['https://%!s(<nil>)', /holds %!s\(/],
  ['https://nullable.example', undefined],
  [`\${BILLING_URL}`, /nobody has filled in/],
  ['$BILLING_URL', /nobody has filled in/],
  [`https://\${{ vars.HOST }}`, /nobody has filled in/],
  ['https://{{ host }}', /nobody has filled in/],
  ['%BILLING_URL%', /nobody has filled in/],
  ['https://billing.acme.com/%41B', undefined],
  ['"https://billing.acme.com"', /quotes/],
  ["'https://billing.acme.com", /quotes/],
  ["https://billing.acme.com/o'neill", undefined],
  [' https://billing.acme.com', /space/],
  ['https://billing.acme.com\n', /space/],
  ['anything at all', /space/],
] as const) {
  test(`the audience ${JSON.stringify(audience)} is ${advice === undefined ? 'not remarked upon' : `remarked upon: ${advice.source}`}`, (t) => {
    const found = adviseOn(audience, false)
    if (advice === undefined) t.is(found, undefined)
    else t.regex(found ?? '', advice)
  })
}

for (const [audience, advice] of [
  ['http://billing:8080', undefined],
  ['http://localhost:8080', undefined],
  ['http://billing:8080/', /ends in a slash/],
  ['http://undefined:8080', /holds undefined/],
  ['http://billing.acme.com', /http:\/\//],
  ['https://billing-x.a.run.app/v1/pay', /has a path/],
  ['https://storage.googleapis.com', /access tokens/],
] as const) {
  test(`where tokens are signed locally, ${audience} is ${advice === undefined ? 'meant' : `remarked upon: ${advice.source}`}`, (t) => {
    const found = adviseOn(audience, true)
    if (advice === undefined) t.is(found, undefined)
    else t.regex(found ?? '', advice)
  })
}

test('an odd audience is said once, when it is minted; a failed request and a gate’s own audience never', (t) => {
  const events = createEvents()
  const notices: SidemintEvent[] = []
  events.subscribe((event) => event.type === 'notice' && notices.push(event))
  lintAudiences({ events, gates: () => [{ audience: ['http://ledger:8080'] }], isLocal: false, now: () => 1 })
  const asked = (audience: string, result: RequestEvent['result'] = 'mint'): RequestEvent => ({
    type: 'request',
    at: 1,
    kind: 'id',
    audience,
    scopes: [],
    identity: 'a@b.c',
    caller: '127.0.0.1',
    result,
    status: result === 'error' ? 403 : 200,
    tookMs: 0,
  })
  for (const audience of ['http://billing:8080', 'http://billing:8080', 'http://ledger:8080'])
    events.record(asked(audience))
  events.record(asked('http://orders:8080', 'error'))
  events.record(asked('http://jobs:8080', 'hit'))
  t.deepEqual(notices, [
    {
      type: 'notice',
      at: 1,
      level: 'warn',
      code: 'AUDIENCE_SUSPECT',
      text: 'the audience http://billing:8080 is a local name: no Google service accepts it. This is said once',
    },
  ])
})
