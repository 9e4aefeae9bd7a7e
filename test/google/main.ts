import { readFileSync } from 'node:fs'
import { type FakeGoogleOptions, startFakeGoogle } from './start.ts'

/**
 * The fake Google as a container: `node test/google/main.ts google.json` (or the JSON in FAKE_GOOGLE). It writes
 * `ca.pem` and the credential files into `dir`, under the names given, listens, and prints one line when all is there.
 * Give it the network aliases of the hosts; clients trust it with NODE_EXTRA_CA_CERTS.
 */
interface Description extends FakeGoogleOptions {
  dir: string
  serviceAccounts?: string[]
  keys?: { email: string; file: string }[]
  users?: { email: string; file: string; quotaProject?: string }[]
  /** Member, permission or role, target. */
  grants?: [string, string, string][]
  disabledApis?: string[]
  /** The account of the machine behind the metadata server. */
  machine?: string
}

const given = process.argv[2] ? readFileSync(process.argv[2], 'utf8') : process.env.FAKE_GOOGLE
if (!given) throw new Error('Give the path of a JSON description, or the JSON itself in FAKE_GOOGLE.')
const description = JSON.parse(given) as Description
const google = await startFakeGoogle({
  host: '0.0.0.0',
  tlsPort: 443,
  proxyPort: 3128,
  metadataPort: 80,
  ...description,
})

for (const email of description.serviceAccounts ?? []) google.serviceAccount(email)
for (const grant of description.grants ?? []) google.grant(...grant)
for (const project of description.disabledApis ?? []) google.disableApi(project)
for (const { email, file } of description.keys ?? []) google.write(file, await google.serviceAccountKey(email))
for (const { file, email, ...options } of description.users ?? []) google.write(file, google.userLogin(email, options))
if (description.machine) google.metadata.email = description.machine

const { tlsPort, proxyUrl, metadata } = google
console.log(JSON.stringify({ ready: true, tlsPort, proxyUrl, metadata: metadata.host }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void google.close())
