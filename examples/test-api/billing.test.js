const { once } = require('node:events')
const { startSidemint } = require('sidemint')
const { createBilling } = require('./billing.js')
const { callBilling } = require('./orders.js')

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'

let metadata
let billing
let audience

beforeEach(async () => {
  metadata = await startSidemint({ serviceAccount: ORDERS })
  metadata.applyEnv()
  billing = createBilling({ issuer: metadata.issuer, audience: () => audience, callers: [ORDERS] }).listen(0)
  await once(billing, 'listening')
  audience = `http://127.0.0.1:${billing.address().port}`
})

afterEach(async () => {
  billing.close()
  await metadata.close()
})

const call = (token) => fetch(audience, { headers: { authorization: `Bearer ${token}` } })

test('orders gets an ID token for billing, and billing lets it in', async () => {
  const answer = await callBilling(audience)
  expect(await answer.text()).toBe(`billed for ${ORDERS}`)
  expect(metadata.requests).toEqual([
    expect.objectContaining({ kind: 'id', audience, identity: ORDERS, result: 'mint', status: 200 }),
  ])
})

test('the second call is served from the cache', async () => {
  await callBilling(audience)
  await callBilling(audience)
  expect(metadata.requests.map(({ result }) => result)).toEqual(['mint', 'hit'])
})

test('billing refuses a token that expired, one for somebody else, and one of a stranger', async () => {
  const expired = await metadata.issueToken({ audience, expiresInSeconds: -600 })
  const forOthers = await metadata.issueToken({ audience: 'https://ledger.example' })
  const stranger = await metadata.issueToken({ audience, serviceAccount: 'eve@acme-dev.iam.gserviceaccount.com' })
  const unverified = await metadata.issueToken({ audience, claims: { email_verified: false } })
  const answers = await Promise.all([expired, forOthers, stranger, unverified].map(call))
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 403, 403])
})

test('orders says so when there is no token to be had', async () => {
  metadata.failNext({ status: 503, times: 1 })
  await expect(callBilling(audience)).rejects.toThrow('INJECTED')
  expect((await callBilling(audience)).status).toBe(200)
})
