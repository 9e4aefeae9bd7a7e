/** sidemint in a container with Google credentials, and the fake Google on its way out. */

import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { createStack, googleVariables, inspect, startEngine } from './docker.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const LOGIN = '/credentials/login.json'

/** The server looks at the file once a second at most: twice that, and the next question finds what it holds. */
const LOOKED_MS = 2_000

const stackWith = (CREDENTIAL: string) =>
  createStack('sidemint-test-google', { files: ['test/compose/google.yaml'], variables: { CREDENTIAL } })
const stack = stackWith('login')

const askApp = () =>
  stack.evaluate('app', "console.log(await (await fetch('http://localhost:8080/')).text())") as Promise<{
    calls: { receiver: { status: number; error?: string; claims: Record<string, unknown> } }
  }>

/** Replaces the login's file as gcloud does: written beside it, then renamed. */
async function login(change: string) {
  await stack.evaluate(
    'google',
    `import { readFileSync, renameSync, writeFileSync } from 'node:fs'
    const login = JSON.parse(readFileSync('${LOGIN}', 'utf8'))
    ${change}
    writeFileSync('${LOGIN}.new', JSON.stringify(login))
    renameSync('${LOGIN}.new', '${LOGIN}')
    console.log(true)`,
  )
  await setTimeout(LOOKED_MS)
}

test.before('docker compose -f test/compose/google.yaml up --wait', async () => {
  await startEngine()
  await stack.down()
})

test.after.always(() => stack.down())

for (const credential of ['key', 'login']) {
  test.serial(`an app without any variable gets a token by a ${credential}, and Google's keys verify it`, async (t) => {
    await stackWith(credential).compose('up', '--build', '--wait')
    t.deepEqual(googleVariables(await inspect(await stack.container('app'))), [])
    const { receiver } = (await askApp()).calls
    t.is(receiver.status, 200, receiver.error)
    t.like(receiver.claims, { iss: 'https://accounts.google.com', aud: 'http://receiver:8080', email: ORDERS })
  })
}

test.serial('the app itself has no way to Google', async (t) => {
  const reached = await stack.evaluate(
    'app',
    "console.log(await fetch('https://oauth2.googleapis.com/').then(() => true, () => false))",
  )
  t.false(reached)
})

test.serial('a login that has ended is told, and a new one heals the running server', async (t) => {
  const { StartedAt } = (await inspect(await stack.container('sidemint'))).State
  const ready = () =>
    stack.evaluate('app', "console.log((await fetch('http://169.254.169.254/_sidemint/ready')).status)")
  await login("login.kept = login.refresh_token; login.refresh_token = '1//ended'")
  const refused = await stack.askToken('app', 'https://a.example')
  t.is(refused.status, 403)
  t.regex(refused.body, /^\{"error":"LOGIN_EXPIRED","error_description":".*gcloud auth application-default login/)
  t.is(await ready(), 503)
  await login('login.refresh_token = login.kept; delete login.kept')
  const healed = await stack.askToken('app', 'https://a.example')
  t.is(healed.status, 200, healed.body)
  t.is(healed.email, ORDERS)
  t.is(await ready(), 200)
  t.is((await inspect(await stack.container('sidemint'))).State.StartedAt, StartedAt)
})

test.serial('no refresh token, key, client secret or token is in a log', async (t) => {
  const secrets = (await stack.evaluate(
    'google',
    `import { readFileSync } from 'node:fs'
    const read = (file) => JSON.parse(readFileSync('/credentials/' + file, 'utf8'))
    const { refresh_token, client_secret } = read('login.json')
    console.log(JSON.stringify([refresh_token, client_secret, ...read('key.json').private_key.split('\\n').slice(1, 3)]))`,
  )) as string[]
  const log = await stack.compose('logs', '--no-log-prefix', 'sidemint')
  t.regex(log, /identity 200 /)
  for (const secret of [...secrets, '1//ended', 'eyJ', 'ya29.']) t.false(log.includes(secret), secret.slice(0, 4))
})
