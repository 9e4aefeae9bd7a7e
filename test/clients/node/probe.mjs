/** `node probe.mjs PACKAGE ASKED` */

import { readFileSync } from 'node:fs'

const [, , name, text] = process.argv
const { audience, bareAudience, refusedAudience, scopes, url, issuer } = JSON.parse(text)

const write = (line) => console.log(JSON.stringify(line))

async function step(name, get) {
  try {
    write({ step: name, value: await get() })
  } catch (error) {
    write({ step: name, error: String(error.message) })
  }
}

async function refusal(get) {
  return get().then(
    () => Promise.reject(new Error('it was not refused')),
    (error) => error.message,
  )
}

function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url)
  write({ step: 'version', value: JSON.parse(readFileSync(file, 'utf8')).version })
}

async function authLibrary(name) {
  const { GoogleAuth, OAuth2Client } = await import(name)
  const auth = new GoogleAuth()
  const idToken = async (audience) => (await auth.getIdTokenClient(audience)).idTokenProvider.fetchIdToken(audience)
  await step('detection', () => auth.getEnv())
  await step('project', () => auth.getProjectId())
  await step('account', async () => (await auth.getCredentials()).client_email)
  await step('accessToken', () => auth.getAccessToken())
  await step('scopes', () => new GoogleAuth({ scopes }).getAccessToken())
  await step('idToken', () => idToken(audience))
  await step('bareIdToken', () => idToken(bareAudience))
  await step('universe', () => auth.getUniverseDomain())
  const endpoints = {
    oauth2FederatedSignonPemCertsUrl: `${url}/oauth2/v1/certs`,
    oauth2FederatedSignonJwkCertsUrl: `${url}/oauth2/v3/certs`,
  }
  const receiver = new OAuth2Client({ endpoints, issuers: [issuer] })
  await step('verified', async () => {
    const ticket = await receiver.verifyIdToken({ idToken: await idToken(bareAudience), audience: bareAudience })
    return ticket.getPayload().aud === bareAudience
  })
  await step('refused', () => refusal(() => idToken(refusedAudience)))
}

async function openTelemetry() {
  const { gcpDetector } = await import('@opentelemetry/resource-detector-gcp')
  const { attributes } = await gcpDetector.detect()
  await step('detection', () => attributes['cloud.platform'])
  await step('project', () => attributes['cloud.account.id'])
}

async function openai() {
  const { gcpIDTokenProvider } = await import('openai/auth')
  await step('idToken', () => gcpIDTokenProvider(audience).getToken())
  await step('bareIdToken', () => gcpIDTokenProvider(bareAudience).getToken())
  await step('refused', () => refusal(() => gcpIDTokenProvider(refusedAudience).getToken()))
}

async function firebaseAdmin() {
  const { applicationDefault } = await import('firebase-admin/app')
  await step('accessToken', async () => (await applicationDefault().getAccessToken()).access_token)
}

version(name)
if (name === 'firebase-admin') await firebaseAdmin()
else if (name === 'openai') await openai()
else if (name.startsWith('@opentelemetry/')) await openTelemetry()
else await authLibrary(name)
