/**
 * `node probe.mjs php|dotnet|cpp ASKED`: the requests of libraries whose languages are not at hand, byte for byte, and
 * what those libraries demand of the answers. Read in google-auth-library-php `GCECredentials.php`, google-api-dotnet
 * `ComputeCredential.cs` with gax-dotnet `Platform.cs`, and google-cloud-cpp `oauth2_compute_engine_credentials.cc`.
 */

import { strictEqual } from 'node:assert'
import { once } from 'node:events'
import { request } from 'node:http'

const [, , name, text] = process.argv
const { audience, bareAudience, refusedAudience, scopes } = JSON.parse(text)
const V1 = '/computeMetadata/v1'
const ACCOUNT = `${V1}/instance/service-accounts/default`
/** Fragments are not sent. */
const [sentAudience] = audience.split('#')

async function step(name, get) {
  try {
    console.log(JSON.stringify({ step: name, value: await get() }))
  } catch (error) {
    console.log(JSON.stringify({ step: name, error: error.message }))
  }
}

async function ask(host, path, agent, timeout) {
  const headers = { Host: host, 'User-Agent': agent, 'Metadata-Flavor': 'Google' }
  const [hostname, port = 80] = host.split(':')
  const asked = request({ hostname, port, path, headers, timeout }).end()
  asked.once('timeout', () => asked.destroy(new Error(`no answer within ${timeout} ms`)))
  const [response] = await once(asked, 'response')
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return { status: response.statusCode, headers: response.headers, body }
}

async function value(answer) {
  const { status, body } = await answer
  strictEqual(status, 200, body)
  return body
}

async function accessToken(answer) {
  const { access_token, expires_in, token_type } = JSON.parse(await value(answer))
  strictEqual(Number.isInteger(expires_in) && expires_in > 0, true)
  strictEqual(token_type, 'Bearer')
  return access_token
}

async function refusal(answer) {
  const { status, body } = await answer
  strictEqual(status, 400)
  return body
}

async function php() {
  const get = (path, timeout) => ask('169.254.169.254', path, 'GuzzleHttp/7', timeout)
  await step('detection', async () => (await get('/', 500)).headers['metadata-flavor'] === 'Google')
  await step('project', () => value(get(`${V1}/project/project-id`)))
  await step('account', () => value(get(`${ACCOUNT}/email`)))
  await step('accessToken', () => accessToken(get(`${ACCOUNT}/token`)))
  await step('scopes', () => accessToken(get(`${ACCOUNT}/token?scopes=${scopes}`)))
  await step('idToken', () => value(get(`${ACCOUNT}/identity?audience=${sentAudience}`)))
  await step('bareIdToken', () => value(get(`${ACCOUNT}/identity?audience=${bareAudience}`)))
  await step('universe', () => value(get(`${V1}/universe/universe-domain`)))
  // Guzzle shows no more of a body.
  await step('refused', async () =>
    (await refusal(get(`${ACCOUNT}/identity?audience=${refusedAudience}`))).slice(0, 240),
  )
}

async function dotnet() {
  const host = process.env.GCE_METADATA_HOST ?? '169.254.169.254'
  const get = (path, timeout) => ask(host, path, 'google-api-dotnet-client/1.70.0.0 (gzip)', timeout)
  const identity = (audience) => get(`${ACCOUNT}/identity?audience=${audience}&format=full`)
  await step('detection', async () => (await get('/', 500)).headers['metadata-flavor'] === 'Google')
  await step('project', async () => {
    const answer = await get(`${V1}/?recursive=true`, 500)
    strictEqual(Number(answer.headers['content-length']) > 0, true)
    const { project, instance } = JSON.parse(await value(answer))
    strictEqual(/^projects\/[^/]+\/zones\/[^/]+$/.test(instance.zone) && instance.id !== undefined, true)
    return project.projectId
  })
  await step('accessToken', () => accessToken(get(`${ACCOUNT}/token`)))
  await step('scopes', () => accessToken(get(`${ACCOUNT}/token?scopes=${scopes}`)))
  await step('idToken', () => value(identity(sentAudience)))
  await step('bareIdToken', () => value(identity(bareAudience)))
  await step('universe', () => value(get(`${V1}/universe/universe-domain`)))
  await step('refused', async () => {
    const { error, error_description: description } = JSON.parse(await refusal(identity(refusedAudience)))
    return `Error:"${error}", Description:"${description}", Uri:""`
  })
}

async function cpp() {
  const host = process.env.GCE_METADATA_ROOT ?? 'metadata.google.internal.'
  const get = (path) => ask(host, path, 'gcloud-cpp/2.40.0')
  const found = async () => JSON.parse(await value(get(`${ACCOUNT}/?recursive=true`)))
  await step('account', async () => {
    const { email, scopes } = await found()
    strictEqual(Array.isArray(scopes), true)
    return email
  })
  await step('project', () => value(get(`${V1}/project/project-id`)))
  await step('accessToken', async () =>
    accessToken(get(`${V1}/instance/service-accounts/${(await found()).email}/token`)),
  )
  await step('universe', () => value(get(`${V1}/universe/universe-domain?recursive=true`)))
}

console.log(JSON.stringify({ step: 'version', value: 'replay' }))
await { php, dotnet, cpp }[name]()
