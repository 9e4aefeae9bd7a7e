import { createVerify, X509Certificate } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { call, firstStart, type Stand, startStand } from './stand.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const BLOB = 'GOOG4-RSA-SHA256\nwhat a URL is signed over'

const root = mkdtempSync(join(tmpdir(), 'sidemint-account-keys-'))
test.after.always(() => rm(root, { recursive: true, force: true }))

let made = 0
/** A folder for a key file, and starts of a server that has it: restarts, by the key of its directory. */
async function setUp() {
  const folder = join(root, String(made++))
  await mkdir(folder)
  await copyFile(join(await firstStart(), 'stand-in.key'), join(folder, 'stand-in.key'))
  const start = () => startStand({ serviceAccount: EMAIL, keyFile: join(folder, 'key.pem') })
  return { folder, start, keyPath: join(folder, `stand-in-${EMAIL}.key`) }
}

async function signBlob(stand: Stand) {
  const { access_token } = JSON.parse((await ask(stand.server.url, `${DEFAULT_ACCOUNT}/token`)).body)
  return call(stand, `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${EMAIL}:signBlob`, {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ payload: Buffer.from(BLOB).toString('base64') }),
  })
}

/** Whether the certificate that is published now verifies a signature. */
async function verifies(stand: Stand, { keyId, signedBlob }: Record<string, unknown>): Promise<boolean> {
  const { json } = await call(stand, `https://www.googleapis.com/robot/v1/metadata/x509/${EMAIL}`)
  const certificate = json[String(keyId)]
  if (certificate === undefined) return false
  const { publicKey } = new X509Certificate(String(certificate))
  return createVerify('sha256').update(BLOB).verify(publicKey, String(signedBlob), 'base64')
}

test('what an account has signed verifies after a restart, where the server keeps its own key', async (t) => {
  const { start } = await setUp()
  const before = await start()
  const signed = (await signBlob(before)).json
  await before.close()
  await using after = await start()
  t.true(await verifies(after, signed))
})

test("without a key file the keys last until a restart, as the server's own does", async (t) => {
  const before = await startStand({ serviceAccount: EMAIL })
  const signed = (await signBlob(before)).json
  t.true(await verifies(before, signed))
  await before.close()
  await using after = await startStand({ serviceAccount: EMAIL })
  t.false(await verifies(after, signed))
})

test('an account has a file beside the key file from its first signature on, which nobody else may read', async (t) => {
  const { folder, start, keyPath } = await setUp()
  await using stand = await start()
  t.deepEqual((await readdir(folder)).sort(), ['key.pem', 'stand-in.key'])
  await signBlob(stand)
  t.deepEqual((await readdir(folder)).sort(), ['key.pem', `stand-in-${EMAIL}.key`, 'stand-in.key'])
  t.is((await stat(keyPath)).mode & 0o777, 0o600)
  t.false((await readFile(keyPath)).equals(await readFile(join(folder, 'key.pem'))))
})

test('a file that others may read is said once, one that is broken is an error until it is mended', async (t) => {
  const { start, keyPath } = await setUp()
  const first = await start()
  await signBlob(first)
  await first.close()
  const pem = await readFile(keyPath)
  await writeFile(keyPath, 'not a key')
  await chmod(keyPath, 0o644)
  await using stand = await start()
  const { status, json } = await signBlob(stand)
  t.is(status, 400)
  t.regex(JSON.stringify(json), /KEY_FILE_BROKEN: the key file .*stand-in-orders.* Fix: /)
  await writeFile(keyPath, pem)
  t.is((await signBlob(stand)).status, 200)
  await signBlob(stand)
  const said = stand.notices.filter(({ code }) => code === 'KEY_FILE_MODE')
  t.is(said.length, 1, JSON.stringify(said))
  t.true(said[0]?.text.includes(keyPath))
})
