/** Credential files in the forms that people have them, right and damaged: what `sidemint token` says of each. */

import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { run } from '../commands/run.ts'
import type { Adc } from './credentials.ts'
import { type FakeGoogle, startFakeGoogle } from './start.ts'

const UNIVERSE = 'example-universe.goog'
const AUDIENCE = 'https://billing-x.a.run.app'
const CI = 'ci@acme-dev.iam.gserviceaccount.com'
const TARGET = 'target@acme-dev.iam.gserviceaccount.com'
const ANOTHER_FILE =
  'gcloud auth application-default login writes another file than GOOGLE_APPLICATION_CREDENTIALS names: unset that, or copy the new file there'
const KEY_FIX =
  'copy the file as Google gave it, byte by byte; or make another: gcloud iam service-accounts keys create FILE --iam-account=EMAIL'
const SOURCE_FIX =
  'look at credential_source in the credential file: its file, URL or program must give one here, where sidemint runs'
const PATH_FIX =
  'write the whole path, as `ls` would take it, without quotes: GOOGLE_APPLICATION_CREDENTIALS=/path/to/file.json'

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle({ universes: [UNIVERSE] })
  google.trust()
  const { principal } = await google.workloadProvider()
  google.grant(principal('workload'), 'roles/iam.workloadIdentityUser', TARGET)
})
test.after.always(() => google.close())

const key = () => google.serviceAccountKey(CI)
const federated = (changes: object, impersonate?: string) => async () => ({
  ...(await google.externalAccount({ from: 'file', ...(impersonate === undefined ? {} : { impersonate }) })),
  ...changes,
})
const from = (credential_source: object) => federated({ credential_source }, TARGET)

/** A key whose PEM has these in place of its line breaks. */
async function keyWith(breaks: string): Promise<Adc> {
  const json = await key()
  return { ...json, private_key: String(json.private_key).trimEnd().replaceAll('\n', breaks) }
}

function program(name: string, answer: object): string {
  const path = google.write(name, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`)
  chmodSync(path, 0o755)
  return path
}

type Content = Adc | string | Buffer
type Row = [file: string, content: () => Content | Promise<Content>, code: string, said: string, fix: string]

const MALFORMED: Row[] = [
  ['empty.json', () => '', 'CREDENTIALS_MALFORMED', 'FILE does not hold Google credentials: it is empty', ANOTHER_FILE],
  [
    'half.json',
    async () => JSON.stringify(await key()).slice(0, 900),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is not JSON, or only half written',
    ANOTHER_FILE,
  ],
  [
    'service.env',
    () => 'GOOGLE_CLOUD_PROJECT="acme-dev"\n',
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is not JSON, or only half written',
    ANOTHER_FILE,
  ],
  [
    'key-utf16.json',
    async () => Buffer.from(`\ufeff${JSON.stringify(await key())}`, 'utf16le'),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is UTF-16, as PowerShell 5 writes it',
    'write it as UTF-8: Out-File -Encoding utf8',
  ],
  [
    'key-double-encoded.json',
    async () => JSON.stringify(JSON.stringify(await key())),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is JSON in a JSON string, so it was encoded twice',
    'write what `jq -r .` makes of it',
  ],
  [
    'key-base64.json',
    async () => Buffer.from(JSON.stringify(await key())).toString('base64'),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is base64 of JSON',
    'write what `base64 -d` makes of it',
  ],
  [
    'key-double-escaped.json',
    () => keyWith('\\n'),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: its private_key has \\n as two characters, so it was escaped twice',
    KEY_FIX,
  ],
  [
    'key-newlines-to-spaces.json',
    () => keyWith(' '),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: the line breaks of its private_key have become spaces',
    KEY_FIX,
  ],
  [
    'key-raw-newlines.json',
    async () => JSON.stringify(await key()).replaceAll('\\n', '\n'),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: its private_key has line breaks where JSON has \\n',
    KEY_FIX,
  ],
  [
    'key.pem',
    async () => String((await key()).private_key),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is a PEM key without the JSON around it',
    KEY_FIX,
  ],
  [
    'oauth-client.json',
    () => JSON.stringify({ installed: { client_id: 'x.apps.googleusercontent.com', client_secret: 's' } }),
    'CREDENTIALS_MALFORMED',
    'FILE does not hold Google credentials: it is an OAuth client, not a login',
    'gcloud auth application-default login --client-id-file=FILE makes a login with it, in another file',
  ],
]

const REFUSED: Row[] = [
  [
    'federated-direct.json',
    federated({}),
    'CREDENTIALS_CANNOT_MINT',
    'the workload of pool ci has no ID tokens of its own',
    '--impersonate-service-account EMAIL, an account on which it has roles/iam.serviceAccountOpenIdTokenCreator',
  ],
  [
    'federated-executable-says-no.json',
    () =>
      from({
        executable: {
          command: program('says-no', { version: 1, success: false, code: '401', message: 'please run: corp-login' }),
        },
      })(),
    'SUBJECT_TOKEN_MISSING',
    'no subject token from the program "DIR/says-no": it answered without success: 401 please run: corp-login',
    'do what the program says, here, where sidemint runs',
  ],
  [
    'federated-executable-secret.json',
    from({ executable: { command: '/opt/no-such-program --client-secret=S3CR3TVALUE' } }),
    'SUBJECT_TOKEN_MISSING',
    'no subject token from the program "/opt/no-such-program": ENOENT',
    SOURCE_FIX,
  ],
  [
    'federated-url.json',
    from({ url: 'http://127.0.0.1:1/metadata/identity/oauth2/token?resource=x', headers: { Metadata: 'True' } }),
    'NETWORK_DOWN',
    '127.0.0.1:1 cannot be reached (ECONNREFUSED, without a proxy)',
    'look at the network and the DNS of this machine or container; offline, start with --source local',
  ],
  [
    'federated-file.json',
    from({ file: '/no/such/token' }),
    'SUBJECT_TOKEN_MISSING',
    'no subject token from /no/such/token: ENOENT',
    SOURCE_FIX,
  ],
  [
    'federated-no-source.json',
    from({}),
    'SUBJECT_TOKEN_MISSING',
    'no subject token from credential_source: it names no file, no URL, no program and no AWS environment',
    SOURCE_FIX,
  ],
  [
    'federated-x509.json',
    from({ certificate: { use_default_certificate_config: true } }),
    'CREDENTIALS_UNUSABLE',
    'a workload certificate (X.509), which sidemint does not support, cannot ask Google for tokens of service accounts',
    ANOTHER_FILE,
  ],
  [
    'gdch.json',
    () => ({ type: 'gdch_service_account' }),
    'CREDENTIALS_UNUSABLE',
    'a GDCH service account cannot ask Google for tokens of service accounts',
    ANOTHER_FILE,
  ],
  [
    'universe-key.json',
    () => google.universe(UNIVERSE).serviceAccountKey(TARGET),
    'IMPERSONATION_DENIED',
    `${TARGET} may not mint as ${TARGET} (iam.serviceAccounts.getOpenIdToken)`,
    `gcloud iam service-accounts add-iam-policy-binding ${TARGET} --member=serviceAccount:${TARGET} --role=roles/iam.serviceAccountOpenIdTokenCreator . Granted just now? It takes 2 to 7 minutes; also check the spelling of the account`,
  ],
]

/** What the command says where it mints with this path in the variable. */
async function mint(t: ExecutionContext, path: string) {
  const outcome = await run(['token', '--source', 'google', '--audience', AUDIENCE, '--format', 'full'], {
    ...google.env,
    GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1',
    GOOGLE_APPLICATION_CREDENTIALS: path,
  })
  for (const secret of [...google.secrets, 'S3CR3TVALUE']) t.false(outcome.err.includes(secret))
  return outcome
}

for (const [file, content, code, said, fix] of [...MALFORMED, ...REFUSED]) {
  test.serial(`${file} is ${code}, and says why`, async (t) => {
    const path = google.write(file, await content())
    const { code: exit, out, err } = await mint(t, path)
    t.is(exit, 1)
    t.is(out, '')
    t.is(err.trim().replaceAll(path, 'FILE').replaceAll(google.dir, 'DIR'), `sidemint: ${code}: ${said}. Fix: ${fix}`)
    t.deepEqual(google.strangers, [])
  })
}

const RIGHT: [file: string, content: () => Content | Promise<Content>, email: string][] = [
  ['key.json', key, CI],
  ['key-utf8-bom.json', async () => `\ufeff${JSON.stringify(await key())}`, CI],
  [
    'federated-generateIdToken-url.json',
    federated({
      service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${TARGET}:generateIdToken`,
    }),
    TARGET,
  ],
  [
    'federated-lifetime-600.json',
    federated({ service_account_impersonation: { token_lifetime_seconds: 600 } }, TARGET),
    TARGET,
  ],
]
for (const [file, content, email] of RIGHT) {
  test.serial(`${file} mints as ${email}`, async (t) => {
    const { code, out, err } = await mint(t, google.write(file, await content()))
    t.is(err, '')
    t.is(code, 0)
    t.like(readClaims(out.trim()), { aud: AUDIENCE, email })
  })
}

const PATHS: [written: (path: string) => string, code: string, said: string, fix: string][] = [
  [
    (path) => `"${path}"`,
    'CREDENTIALS_MISSING',
    'the path has quotes around it, which `docker run --env-file` and .env readers may keep',
    PATH_FIX,
  ],
  [() => '~/adc.json', 'CREDENTIALS_MISSING', 'the path begins with ~, which only a shell expands', PATH_FIX],
  [() => '$HOME/adc.json', 'CREDENTIALS_MISSING', 'the path holds a variable, which only a shell expands', PATH_FIX],
  [
    () => 'C:\\Users\\ann\\adc.json',
    'CREDENTIALS_MISSING',
    'the path is a path of Windows, and this is linux',
    PATH_FIX,
  ],
  [(path) => `${path} `, 'CREDENTIALS_MISSING', 'the path begins or ends with a space', PATH_FIX],
  [(path) => `${path}\n`, 'CREDENTIALS_NOT_A_PATH', 'a line break', 'put the content into SIDEMINT_CREDENTIALS'],
  [(path) => join(path, '..'), 'CREDENTIALS_MALFORMED', 'it is a directory', 'name the file in it'],
  [
    () => '/no/such/key.json',
    'CREDENTIALS_MISSING',
    'GOOGLE_APPLICATION_CREDENTIALS names it',
    `look at the spelling of that path; or ${ANOTHER_FILE}`,
  ],
]
for (const [written, code, said, fix] of PATHS) {
  test.serial(`a variable of ${JSON.stringify(written('/key.json'))} is ${code}`, async (t) => {
    const { code: exit, err } = await mint(t, written(google.write('path.json', await key())))
    t.is(exit, 1)
    t.true(err.startsWith(`sidemint: ${code}: `), err)
    t.true(err.includes(said), err)
    t.true(err.includes(`. Fix: ${fix}`), err)
  })
}
