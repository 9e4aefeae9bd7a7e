import { execFile } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { calculateJwkThumbprint } from 'jose'
import { SidemintError } from '../../src/core/errors.ts'
import { certify } from '../../src/issuer/certificate.ts'
import { generateSigningKey } from '../../src/issuer/key.ts'
import { loadKeys } from '../../src/issuer/key-file.ts'
import { kept } from '../google/kept.ts'
import { rsaPem } from '../google/keys.ts'

const root = mkdtempSync(join(tmpdir(), 'sidemint-keys-'))
test.after.always(() => rm(root, { recursive: true, force: true }))

let made = 0
async function freshDirectory(): Promise<string> {
  const directory = join(root, String(made++))
  await mkdir(directory)
  return directory
}

async function refusal(path: string): Promise<SidemintError> {
  try {
    await loadKeys(path, () => {})
  } catch (error) {
    if (error instanceof SidemintError) return error
    throw error
  }
  throw new Error('the key was taken')
}

test('kid is `local-` and the RFC 7638 thumbprint as jose computes it, and the JWK has what verifiers insist on', async (t) => {
  const { kid, jwk, privateKey } = await generateSigningKey()
  t.is(kid, `local-${await calculateJwkThumbprint(jwk, 'sha256')}`)
  t.deepEqual(Object.keys(jwk).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
  t.like(jwk, { kty: 'RSA', alg: 'RS256', use: 'sig', kid })
  t.is(privateKey.asymmetricKeyDetails?.modulusLength, 2048)
})

test('two generated keys differ', async (t) => {
  t.not((await generateSigningKey()).kid, (await generateSigningKey()).kid)
})

test('a missing key file is made with mode 0600 and nothing beside it, and gives the same key again', async (t) => {
  const directory = await freshDirectory()
  const path = join(directory, 'key.pem')
  const warnings: string[] = []
  const { signing: first } = await loadKeys(path, (text) => warnings.push(text))
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.deepEqual(await readdir(directory), ['key.pem'])
  t.regex(await readFile(path, 'utf8'), /^-----BEGIN PRIVATE KEY-----/)
  t.is((await loadKeys(path, (text) => warnings.push(text))).signing.kid, first.kid)
  t.deepEqual(warnings, [])
})

test('many who start at once on one path end with one key', async (t) => {
  const directory = await freshDirectory()
  const path = join(directory, 'key.pem')
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadKeys(path, () => {})))
  t.is(new Set(keys.map(({ signing }) => signing.kid)).size, 1)
  t.deepEqual(await readdir(directory), ['key.pem'])
})

test('two processes that start at once on one path end with one key', async (t) => {
  const path = join(await freshDirectory(), 'key.pem')
  const program = `import { loadKeys } from ${JSON.stringify(import.meta.resolve('../../src/issuer/key-file.ts'))}
    console.log((await loadKeys(${JSON.stringify(path)}, () => {})).signing.kid)`
  const start = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  const [one, two] = await Promise.all([start(), start()])
  t.is(one.stdout, two.stdout)
  t.is(one.stdout.trim(), (await loadKeys(path, () => {})).signing.kid)
})

const pem = (type: 'pkcs1' | 'pkcs8', bits: number) =>
  generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({ type, format: 'pem' }).toString()

test('a key of PKCS#1 or of more bits is taken as it is', async (t) => {
  for (const text of [pem('pkcs1', 2048), await rsaPem(0, 3072)]) {
    const path = join(await freshDirectory(), 'key.pem')
    await writeFile(path, text, { mode: 0o600 })
    const { signing } = await loadKeys(path, () => {})
    t.true(signing.privateKey.equals(createPrivateKey(text)))
    t.is(await readFile(path, 'utf8'), text)
  }
})

/** In PEM. It takes a third of a second to make, and may be the same in every run. */
const pssPem = () =>
  kept('rsa-pss-2048.pem', async () => {
    const { privateKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  })
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const BROKEN: [name: string, text: string | (() => string | Promise<string>), reason: RegExp][] = [
  ['empty', '', /it is empty/],
  ['of white space', ' \n\n', /it is empty/],
  ['of something else', 'hello\n', /no private key/],
  ['cut off', () => pem('pkcs8', 2048).slice(0, 500), /no private key/],
  ['with an EC key', () => ec().export({ type: 'pkcs8', format: 'pem' }).toString(), /type ec, not RSA/],
  ['with a key of 1024 bits', () => rsaPem(0, 1024), /1024 bits/],
  [
    'with a public key',
    () => createPublicKey(pem('pkcs8', 2048)).export({ type: 'spki', format: 'pem' }).toString(),
    /no private key/,
  ],
  [
    'with an encrypted key',
    () =>
      createPrivateKey(pem('pkcs8', 2048))
        .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
        .toString(),
    /no private key/,
  ],
  ['with an RSA-PSS key', pssPem, /type rsa-pss, not RSA/],
]
for (const [name, given, reason] of BROKEN) {
  test(`a key file ${name} is an error that names the file, and is left as it is`, async (t) => {
    const text = typeof given === 'string' ? given : await given()
    const path = join(await freshDirectory(), 'key.pem')
    await writeFile(path, text, { mode: 0o600 })
    const error = await refusal(path)
    t.is(error.code, 'KEY_FILE_BROKEN')
    t.true(error.message.includes(path))
    t.regex(error.message, reason)
    t.false(/MII|BEGIN/.test(error.message), 'nothing of a key is shown')
    t.is(await readFile(path, 'utf8'), text)
  })
}

for (const mode of [0o644, 0o640, 0o604, 0o777]) {
  test(`a key file of mode ${mode.toString(8)} is used, with one warning that says what to type`, async (t) => {
    const path = join(await freshDirectory(), 'key.pem')
    await writeFile(path, pem('pkcs8', 2048))
    await chmod(path, mode)
    const warnings: string[] = []
    await loadKeys(path, (text) => warnings.push(text))
    t.is(warnings.length, 1)
    t.true(warnings[0]?.includes(`0${mode.toString(8)}`))
    t.true(warnings[0]?.includes(`chmod 600 ${path}`))
    t.is((await stat(path)).mode & 0o777, mode, 'the mode is left alone')
  })
}

test('a path that cannot be read or written is an error with the reason of the system', async (t) => {
  const directory = await freshDirectory()
  await writeFile(join(directory, 'file'), '')
  for (const [path, reason] of [
    [join(directory, 'missing', 'key.pem'), 'ENOENT'],
    [join(directory, 'file', 'key.pem'), 'ENOTDIR'],
    [directory, 'EISDIR'],
  ] as const) {
    const error = await refusal(path)
    t.is(error.code, 'KEY_FILE_UNREADABLE')
    t.true(error.message.includes(path) && error.message.includes(reason), error.message)
  }
  t.deepEqual(await readdir(directory), ['file'], 'no draft stays behind')
})

test('a pipe or a device is an error at once, and nothing is waited for', async (t) => {
  const pipe = join(await freshDirectory(), 'key.pem')
  await promisify(execFile)('mkfifo', [pipe])
  for (const path of [pipe, '/dev/null']) {
    const error = await refusal(path)
    t.is(error.code, 'KEY_FILE_UNREADABLE')
    t.true(error.message.includes(path) && error.message.includes('it is a pipe or a device, not a file'))
  }
})

const isRoot = process.getuid?.() === 0
if (isRoot) console.log('skipped as root, whom no mode stops: a directory without write permission')
const unprivileged = isRoot ? test.skip : test
unprivileged('a directory without write permission is an error', async (t) => {
  const directory = await freshDirectory()
  await chmod(directory, 0o500)
  const error = await refusal(join(directory, 'key.pem'))
  t.is(error.code, 'KEY_FILE_UNREADABLE')
  t.regex(error.message, /EACCES/)
})

test('the certificate verifies with its own key, holds the public key and is valid around now', async (t) => {
  const key = await generateSigningKey()
  const nowMs = Date.UTC(2026, 5, 1)
  const text = await certify(key, key, nowMs)
  t.regex(text, /^-----BEGIN CERTIFICATE-----\n[\s\S]+\n-----END CERTIFICATE-----\n$/)
  const certificate = new X509Certificate(text)
  const publicKey = createPublicKey(key.privateKey)
  t.true(certificate.verify(publicKey))
  t.true(certificate.publicKey.equals(publicKey))
  t.true(certificate.validFromDate.getTime() < nowMs)
  t.true(certificate.validToDate.getTime() > nowMs + 300 * 24 * 3_600_000)
  t.true(BigInt(`0x${certificate.serialNumber}`) > 0n)
  t.not(
    new X509Certificate(await certify(await generateSigningKey(), key, nowMs)).serialNumber,
    certificate.serialNumber,
  )
})
