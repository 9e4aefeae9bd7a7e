/** Eight steps of a test suite with a sidemint in SIDEMINT_SERVER; prints what each step saw. */

const { SIDEMINT_SERVER: SERVER, SIDEMINT_CONTROL_SECRET: SECRET } = process.env
const [BILLING, LEDGER] = ['https://billing.example', 'https://ledger.example']

async function call(method, path, body, headers = {}) {
  const answer = await fetch(SERVER + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  return { status: answer.status, text: await answer.text() }
}

async function order(method, path, body) {
  const { status, text } = await call(method, `/_sidemint/${path}`, body, { Authorization: `Bearer ${SECRET}` })
  if (status !== 200) throw new Error(text)
  return JSON.parse(text)
}

function ask(audience) {
  const path = '/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience='
  return call('GET', path + encodeURIComponent(audience), undefined, { 'Metadata-Flavor': 'Google' })
}

const part = (token, index) => JSON.parse(Buffer.from(token.split('.')[index], 'base64url'))

async function failed(audience) {
  const began = performance.now()
  const { status, text } = await ask(audience)
  return `${status} ${JSON.parse(text).error} ${performance.now() - began >= 300 ? 'late' : 'at once'}`
}

async function requests() {
  const { requests } = await order('GET', 'requests')
  return requests.map(({ audience, result, status }) => `${audience} ${result} ${status}`)
}

await order('POST', 'control/reset')

const claims = { email: 'eve@evil.example' }
const issued = await order('POST', 'control/issue', { audience: BILLING, claims, expiresInSeconds: -600 })
const { aud, email, exp } = part(issued.token, 1)
console.log('1 issue for an audience:', aud, email, Math.round((exp - Date.now() / 1000) / 60))

const user = part((await order('POST', 'control/issue', { user: 'ann@acme.example' })).token, 1)
console.log('2 issue for a user:', user.email, user.hd)

const { status, text: token } = await ask(BILLING)
console.log('3 ask:', status, part(token, 1).aud, part(token, 1).email)

await order('POST', 'control/fail-next', { status: 503, times: 2, audience: 'https://billing*', delayMs: 300 })
const seen = [await failed(BILLING), (await ask(LEDGER)).status, await failed(BILLING), (await ask(BILLING)).status]
await order('POST', 'control/fail-next', { drop: true })
seen.push(
  await ask(BILLING).then(
    ({ status }) => status,
    () => 'no answer',
  ),
)
console.log('4 fail next:', seen.join(', '))

await order('POST', 'control/fail-next', { times: 3 })
const { emptied } = await order('POST', 'control/reset')
const counts = ['requests', 'calls', 'grants', 'failures', 'tokens'].map((name) => `${name} ${emptied[name]}`)
console.log('5 reset:', `${counts.join(', ')}, then`, (await ask(BILLING)).status)

await ask(BILLING)
console.log('6 requests:', (await requests()).join(', '))

await order('DELETE', 'requests')
console.log('7 delete requests:', (await requests()).length)

const { kid } = await order('POST', 'control/rotate')
const kids = JSON.parse((await call('GET', '/oauth2/v3/certs')).text).keys.map((key) => key.kid)
const old = part(token, 0).kid
const both = kids.includes(old) && kids.includes(kid) ? 'published' : 'not published'
const signs = kid !== old && part((await ask(BILLING)).text, 0).kid === kid ? 'signs' : 'does not sign'
console.log(`8 rotate: both keys are ${both}, the new one ${signs}`)
