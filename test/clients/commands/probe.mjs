/** `node probe.mjs curl|gcloud ASKED`: the commands as people type them. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const [, , name, text] = process.argv
const { audience, bareAudience, refusedAudience, scopes } = JSON.parse(text)

async function step(name, get) {
  try {
    console.log(JSON.stringify({ step: name, value: await get() }))
  } catch (error) {
    console.log(JSON.stringify({ step: name, error: `${error.message} ${error.stdout} ${error.stderr}` }))
  }
}

/** What it wrote where it failed. */
async function refusal(get) {
  return get().then(
    () => Promise.reject(new Error('it was not refused')),
    (error) => (error.stdout + error.stderr).trim(),
  )
}

async function curl() {
  const root = `http://${process.env.GCE_METADATA_HOST ?? 'metadata.google.internal'}/computeMetadata/v1`
  const account = 'instance/service-accounts/default'
  const ask = async (path, ...argv) => {
    const header = ['-H', 'Metadata-Flavor: Google']
    const { stdout } = await run('curl', ['-sS', '--fail-with-body', ...header, `${root}/${path}`, ...argv])
    return stdout
  }
  const token = async (...argv) => JSON.parse(await ask(`${account}/token`, ...argv)).access_token
  const identity = (audience) => ask(`${account}/identity`, '-G', '--data-urlencode', `audience=${audience}`)
  await step('version', async () => (await run('curl', ['--version'])).stdout.split(' ')[1])
  await step('project', () => ask('project/project-id'))
  await step('account', () => ask(`${account}/email`))
  await step('accessToken', () => token())
  await step('scopes', () => token('-G', '-d', `scopes=${scopes}`))
  await step('idToken', () => identity(audience))
  await step('bareIdToken', () => identity(bareAudience))
  await step('universe', () => ask('universe/universe-domain'))
  await step('refused', () => refusal(() => identity(refusedAudience)))
}

async function gcloud() {
  const ask = async (...argv) => (await run('gcloud', argv)).stdout.trim()
  const identity = (audience) => ask('auth', 'print-identity-token', `--audiences=${audience}`)
  await step('version', async () => JSON.parse(await ask('version', '--format=json'))['Google Cloud SDK'])
  await step('project', () => ask('config', 'get', 'project'))
  await step('account', () => ask('auth', 'list', '--filter=status:ACTIVE', '--format=value(account)'))
  await step('accessToken', () => ask('auth', 'print-access-token'))
  await step('idToken', () => identity(audience))
  await step('bareIdToken', () => identity(bareAudience))
  await step('refused', () => refusal(() => identity(refusedAudience)))
}

await { curl, gcloud }[name]()
