import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, watch } from 'node:fs'
import {
  chmod,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { rootCertificates } from 'node:tls'
import test from 'ava'
import { prepareDirectory } from '../../src/stand-in/directory.ts'
import { createClock } from '../clock.ts'
import { firstStart, startStand } from './stand.ts'

const DAY = 24 * 3_600_000
const root = mkdtempSync(join(tmpdir(), 'sidemint-stand-in-'))
test.after.always(() => rm(root, { recursive: true, force: true }))

let made = 0
async function setUp() {
  const base = join(root, String(made++))
  await mkdir(base)
  const directory = join(base, 'shown')
  const clock = createClock(Date.now())
  // Few, since the time goes into them.
  const roots = () => rootCertificates.slice(0, 3).map((pem) => `${pem}\n`)
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const prepare = (keyFile?: string, shown = directory) =>
    prepareDirectory({ directory: shown, keyFile, now: clock.now, roots, warn })
  return { base, directory, clock, prepare, warnings, keyPath: join(base, 'stand-in.key') }
}

let first: Promise<string> | undefined

async function makeFirst(): Promise<string> {
  const { base, prepare } = await setUp()
  await prepare()
  return base
}

/** As a start has left it. */
async function setUpPrepared() {
  first ??= makeFirst()
  const set = await setUp()
  await cp(await first, set.base, { recursive: true, preserveTimestamps: true })
  return set
}

test('the directory holds what may be seen, readable by everybody, and the key lies beside it', async (t) => {
  const { base, directory, prepare, keyPath } = await setUp()
  const { key, certificate, isNew } = await prepare()
  t.true(isNew)
  t.deepEqual((await readdir(directory)).sort(), ['bundle.pem', 'certificate.pem', 'truststore.p12'])
  t.deepEqual((await readdir(base)).sort(), ['shown', 'stand-in.key'])
  t.is((await stat(keyPath)).mode & 0o777, 0o600)
  for (const name of await readdir(directory)) {
    t.is((await stat(join(directory, name))).mode & 0o777, 0o644, name)
    t.false((await readFile(join(directory, name), 'latin1')).includes('PRIVATE KEY'), name)
  }
  t.is(await readFile(keyPath, 'utf8'), key)
  t.is(await readFile(join(directory, 'certificate.pem'), 'utf8'), certificate)
})

test('where there is a key file, the key lies beside that', async (t) => {
  const { base, prepare } = await setUp()
  await mkdir(join(base, 'keys'))
  await prepare(join(base, 'keys', 'key.pem'))
  t.deepEqual(await readdir(join(base, 'keys')), ['stand-in.key'])
})

test('the certificate is for four hosts, vouches for nothing else and says that it is not Google', async (t) => {
  const { clock, prepare } = await setUp()
  const certificate = new X509Certificate((await prepare()).certificate)
  t.is(certificate.toLegacyObject().subject.CN, 'sidemint stand-in, not Google')
  t.false(certificate.ca)
  t.is(
    certificate.subjectAltName,
    'DNS:www.googleapis.com, DNS:oauth2.googleapis.com, DNS:accounts.google.com, DNS:iamcredentials.googleapis.com',
  )
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
  t.true(to - from <= 397 * DAY && to - from > 390 * DAY)
  t.true(from <= clock.now() - DAY / 2)
})

test('the bundle holds the roots of the system and the certificate, and Java finds all of them', async (t) => {
  const directory = join(await firstStart(), 'shown')
  const certificate = await readFile(join(directory, 'certificate.pem'), 'utf8')
  const bundle = await readFile(join(directory, 'bundle.pem'), 'utf8')
  t.true(bundle.endsWith(certificate))
  const count = bundle.match(/BEGIN CERTIFICATE/g)?.length ?? 0
  t.true(count > 50)
  const store = await readFile(join(directory, 'truststore.p12'))
  for (const pem of bundle.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g) ?? []) {
    t.true(store.includes(new X509Certificate(pem).raw))
  }
  // PKCS12 in the form that Java takes as trusted: a count of its attribute, by its DER.
  const trusted = Buffer.from('060c6086480186f966adca7b0101', 'hex')
  t.is(store.toString('latin1').split(trusted.toString('latin1')).length - 1, count)
})

test('over a restart everything stays as it is, byte for byte', async (t) => {
  const { directory, prepare } = await setUp()
  const first = await prepare()
  const before = await Promise.all((await readdir(directory)).map((name) => stat(join(directory, name))))
  const second = await prepare()
  t.deepEqual({ ...second, isNew: true }, first)
  t.false(second.isNew)
  const after = await Promise.all((await readdir(directory)).map((name) => stat(join(directory, name))))
  t.deepEqual(
    after.map(({ ino }) => ino),
    before.map(({ ino }) => ino),
  )
})

test('it is renewed at a start within its last 30 days, and when it has expired or is not yet valid', async (t) => {
  for (const [days, isNew] of [
    [300, false],
    [365, false],
    [367, true],
    [500, true],
    [-3, true],
  ] as const) {
    const { clock, directory, prepare } = await setUpPrepared()
    const certificate = await readFile(join(directory, 'certificate.pem'), 'utf8')
    clock.advance(days * DAY)
    const again = await prepare()
    t.is(again.isNew, isNew, `${days} days`)
    t.is(again.certificate === certificate, !isNew)
  }
})

test('a directory that is half written is completed', async (t) => {
  const damage: Record<string, (paths: { directory: string; keyPath: string }) => Promise<unknown>> = {
    'no key': ({ keyPath }) => rm(keyPath),
    'a cut key': ({ keyPath }) => writeFile(keyPath, '-----BEGIN PRIVATE KEY-----\nMIG'),
    'an empty certificate': ({ directory }) => writeFile(join(directory, 'certificate.pem'), ''),
    'a cut certificate': async ({ directory }) => {
      const path = join(directory, 'certificate.pem')
      await writeFile(path, (await readFile(path, 'utf8')).slice(0, 300))
    },
    'no trust store': ({ directory }) => rm(join(directory, 'truststore.p12')),
    'an empty trust store': ({ directory }) => truncate(join(directory, 'truststore.p12')),
    'a cut trust store': ({ directory }) => truncate(join(directory, 'truststore.p12'), 1000),
    'a trust store without its end': async ({ directory }) => {
      const path = join(directory, 'truststore.p12')
      await truncate(path, (await stat(path)).size - 1)
    },
    'a cut bundle': ({ directory }) => writeFile(join(directory, 'bundle.pem'), '-----BEGIN'),
    'no bundle': ({ directory }) => rm(join(directory, 'bundle.pem')),
  }
  for (const [name, act] of Object.entries(damage)) {
    const { directory, keyPath, prepare } = await setUpPrepared()
    const { size } = await stat(join(directory, 'truststore.p12'))
    await act({ directory, keyPath })
    const { key, certificate } = await prepare()
    t.true(new X509Certificate(certificate).checkPrivateKey((await import('node:crypto')).createPrivateKey(key)), name)
    t.is(await readFile(join(directory, 'certificate.pem'), 'utf8'), certificate, name)
    t.true((await readFile(join(directory, 'bundle.pem'), 'utf8')).endsWith(certificate), name)
    t.true((await readFile(join(directory, 'truststore.p12'))).includes(new X509Certificate(certificate).raw), name)
    t.true(Math.abs((await stat(join(directory, 'truststore.p12'))).size - size) < 8, name)
  }
})

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

test.serial('everybody may enter and read it, whatever the umask is', async (t) => {
  const { directory, prepare, warnings } = await setUp()
  const umask = process.umask(0o077)
  await prepare().finally(() => process.umask(umask))
  t.is(await modeOf(directory), 0o755)
  const names = await readdir(directory)
  for (const name of names) await chmod(join(directory, name), 0)
  t.false((await prepare()).isNew)
  t.deepEqual(await Promise.all(names.map((name) => modeOf(join(directory, name)))), [0o644, 0o644, 0o644])
  t.deepEqual(warnings, [])
})

test('a directory that others may not enter and that was there before stays so, with a warning', async (t) => {
  const { directory, prepare, warnings } = await setUp()
  await mkdir(directory, { mode: 0o700 })
  await prepare()
  t.is(await modeOf(directory), 0o700)
  t.deepEqual(warnings, [
    `${directory} has mode 0700: receivers that run as another user cannot read it. Fix: chmod 755 ${directory}`,
  ])
})

test('what a link in the directory leads to keeps its mode', async (t) => {
  const { base, directory, prepare } = await setUpPrepared()
  const elsewhere = join(base, 'elsewhere.pem')
  await rename(join(directory, 'certificate.pem'), elsewhere)
  await chmod(elsewhere, 0o600)
  await symlink(elsewhere, join(directory, 'certificate.pem'))
  await prepare()
  t.is(await modeOf(elsewhere), 0o600)
})

/** One that is first, one that loses against it, and two that find what either has left. */
const AT_ONCE = 4

test('servers that start at once on a new directory have one key and one certificate', async (t) => {
  const { directory, prepare, keyPath } = await setUp()
  const all = await Promise.all(Array.from({ length: AT_ONCE }, () => prepare()))
  t.is(new Set(all.map(({ certificate }) => certificate)).size, 1)
  t.is(new Set(all.map(({ key }) => key)).size, 1)
  t.is(await readFile(join(directory, 'certificate.pem'), 'utf8'), all[0]?.certificate ?? '')
  t.is(await readFile(keyPath, 'utf8'), all[0]?.key ?? '')
})

test('servers that at once replace what is cut or has expired have one key and one certificate', async (t) => {
  const damage: Record<string, (set: Awaited<ReturnType<typeof setUp>>) => unknown> = {
    'a cut key': ({ keyPath }) => truncate(keyPath, 30),
    'an expired certificate': ({ clock }) => clock.advance(400 * DAY),
  }
  for (const [name, act] of Object.entries(damage)) {
    const set = await setUpPrepared()
    await act(set)
    const all = await Promise.all(Array.from({ length: AT_ONCE }, () => set.prepare()))
    t.is(new Set(all.map(({ certificate }) => certificate)).size, 1, name)
    t.is(new Set(all.map(({ key }) => key)).size, 1, name)
    t.is(await readFile(join(set.directory, 'certificate.pem'), 'utf8'), all[0]?.certificate ?? '', name)
    t.is(await readFile(set.keyPath, 'utf8'), all[0]?.key ?? '', name)
    t.is((await readdir(set.directory)).length, 3, name)
    t.deepEqual((await readdir(set.base)).sort(), ['shown', 'stand-in.key'], name)
  }
})

test('two directories beside one key have a certificate each, and neither replaces that of the other', async (t) => {
  const { base, prepare } = await setUp()
  const [first, second] = [await prepare(), await prepare(undefined, join(base, 'other'))]
  t.is(second.key, first.key)
  t.deepEqual(await prepare(), { ...first, isNew: false })
  t.deepEqual(await prepare(undefined, join(base, 'other')), { ...second, isNew: false })
})

test('what a killed start left half written is removed later, and nothing else', async (t) => {
  const { base, directory, clock, prepare, keyPath } = await setUp()
  await mkdir(directory)
  const draft = '.3f2c1b9e-6f0a-4f7e-9c58-0d3c1f2a4b5c.tmp'
  const left = [keyPath, ...['certificate.pem', 'bundle.pem', 'truststore.p12'].map((name) => join(directory, name))]
  const others = ['mine.pem', 'certificate.pem.tmp', `mine.pem${draft}`, `my-certificate.pem${draft}`, 'bundle.pem.old']
  const link = join(directory, `certificate.pem${draft.replace('3f', '4f')}`)
  await symlink(join(base, 'nowhere'), link)
  const recent = join(directory, `bundle.pem${draft.replace('3f', '5f')}`)
  const long = new Date(clock.now() - 2 * 3_600_000)
  for (const path of [...left.map((each) => each + draft), ...others.map((name) => join(directory, name)), recent]) {
    await writeFile(path, '')
    if (path !== recent) await utimes(path, long, long)
  }
  await prepare()
  const kept = [...others, `certificate.pem${draft.replace('3f', '4f')}`, `bundle.pem${draft.replace('3f', '5f')}`]
  t.deepEqual((await readdir(directory)).sort(), [...kept, 'certificate.pem', 'bundle.pem', 'truststore.p12'].sort())
  t.deepEqual((await readdir(base)).sort(), ['shown', 'stand-in.key'])
  t.true((await lstat(link)).isSymbolicLink())
})

let drafts: Promise<string[][]> | undefined

/** The files that a first start writes under another name than its own, by the folder that they are in. */
function draftsOfStart(): Promise<string[][]> {
  drafts ??= watchStart()
  return drafts
}

async function watchStart() {
  const { base, directory, prepare } = await setUp()
  await mkdir(directory)
  const names = [base, directory].map((folder) => {
    const seen = new Set<string>()
    const watcher = watch(folder, (_, name) => void (name?.endsWith('.tmp') && seen.add(name)))
    return { seen, watcher }
  })
  await prepare()
  // The system tells of them in their order.
  for (const [index, folder] of [base, directory].entries()) {
    const last = `last-${index}.tmp`
    await writeFile(join(folder, last), '')
    while (!names[index]?.seen.delete(last)) await sleep(5)
    names[index]?.watcher.close()
  }
  return names.map(({ seen }) => [...seen])
}

test('whatever a start writes, a later one removes it where that start was killed', async (t) => {
  const [besides = [], shown = []] = await draftsOfStart()
  t.true(besides.length > 0 && shown.length > 0)
  const { base, directory, clock, prepare } = await setUp()
  await mkdir(directory)
  const long = new Date(clock.now() - 2 * 3_600_000)
  const left = [...besides.map((name) => join(base, name)), ...shown.map((name) => join(directory, name))]
  for (const path of left) {
    await writeFile(path, 'a secret')
    await utimes(path, long, long)
  }
  await prepare()
  t.deepEqual((await readdir(base)).sort(), ['shown', 'stand-in.key'])
  t.deepEqual((await readdir(directory)).sort(), ['bundle.pem', 'certificate.pem', 'truststore.p12'])
})

test('what a start that was killed just now left for another key is passed over, by servers that start at once too', async (t) => {
  const [, shown = []] = await draftsOfStart()
  const other = await setUpPrepared()
  const left = await readFile(join(other.directory, 'certificate.pem'), 'utf8')
  for (const servers of [1, AT_ONCE]) {
    const { directory, prepare } = await setUp()
    await mkdir(directory)
    for (const name of shown) await writeFile(join(directory, name), left)
    const all = await Promise.all(Array.from({ length: servers }, () => prepare()))
    t.is(new Set(all.map(({ certificate }) => certificate)).size, 1)
    t.not(all[0]?.certificate, left)
    t.is(await readFile(join(directory, 'certificate.pem'), 'utf8'), all[0]?.certificate ?? '')
  }
})

test("somebody else's certificate is left alone, with an error", async (t) => {
  const { base, directory, prepare } = await setUp()
  await mkdir(directory)
  const { certify } = await import('../../src/issuer/certificate.ts')
  const { generateSigningKey } = await import('../../src/issuer/key.ts')
  const key = await generateSigningKey()
  const pem = await certify(key, key, Date.now())
  await writeFile(join(directory, 'certificate.pem'), pem)
  await t.throwsAsync(prepare(), { code: 'STAND_IN_UNUSABLE', message: /somebody else's certificate/ })
  t.deepEqual(await readdir(directory), ['certificate.pem'])
  t.deepEqual(await readdir(base), ['shown'], 'no key that nobody needs')
  t.is(await readFile(join(directory, 'certificate.pem'), 'utf8'), pem)
})

test('a key that receivers would see is refused', async (t) => {
  const { directory, prepare } = await setUp()
  for (const folder of ['', 'keys', '..keys']) {
    const keyFile = join(directory, folder, 'key.pem')
    await t.throwsAsync(prepare(keyFile), { code: 'STAND_IN_UNUSABLE', message: /receivers mount it/ })
  }
})

test('a key that receivers would see through a link is refused too', async (t) => {
  const { base, directory, prepare } = await setUp()
  await mkdir(join(directory, 'deep'), { recursive: true })
  await mkdir(join(base, 'keys'))
  await symlink(directory, join(base, 'link'))
  await symlink(join(directory, 'deep'), join(base, 'deep'))
  await symlink(base, join(directory, 'up'))
  await writeFile(join(directory, 'key.pem'), '')
  await symlink(join(directory, 'key.pem'), join(base, 'keys', 'key.pem'))
  const refused = { code: 'STAND_IN_UNUSABLE', message: /receivers mount it/ }
  for (const keyFile of ['link/key.pem', 'link/new/key.pem', 'deep/key.pem', 'keys/key.pem']) {
    await t.throwsAsync(prepare(join(base, keyFile)), refused, keyFile)
  }
  await t.throwsAsync(prepare(join(directory, 'key.pem'), join(base, 'link')), refused)
  await t.throwsAsync(prepare(undefined, join(directory, 'up')), refused)
  await t.notThrowsAsync(prepare(join(directory, 'up', 'key.pem')))
})

test('a pipe in place of a file, and a place where nothing can be made, are errors', async (t) => {
  const { base, directory, prepare, keyPath } = await setUp()
  await mkdir(directory)
  for (const path of [
    keyPath,
    ...['certificate.pem', 'bundle.pem', 'truststore.p12'].map((name) => join(directory, name)),
  ]) {
    await rm(path, { force: true })
    execFileSync('mkfifo', [path])
    await t.throwsAsync(prepare(), { code: 'STAND_IN_UNUSABLE', message: /it is a pipe or a device, not a file/ }, path)
    await rm(path)
  }
  const nowhere = process.platform === 'linux' ? '/proc/sidemint/shown' : '/dev/null/shown'
  await t.throwsAsync(prepare(join(base, 'key.pem'), nowhere), { code: 'STAND_IN_UNUSABLE' })
})

test('a path that is no directory, or leads nowhere, is an error that names it', async (t) => {
  const { base, directory, prepare } = await setUp()
  await writeFile(directory, '')
  await t.throwsAsync(prepare(), { code: 'STAND_IN_UNUSABLE', message: new RegExp(`${directory} is not a directory`) })
  await rm(directory)
  await symlink(join(base, 'gone', 'deep'), directory)
  await t.throwsAsync(prepare(), { code: 'STAND_IN_UNUSABLE' })
})

test('a port that is taken is an error that names the setting, and nothing is written', async (t) => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as { port: number }
  const { base, directory } = await setUp()
  const error = await t.throwsAsync(startStand({ standInPort: port, standIn: directory }), { code: 'PORT_TAKEN' })
  t.deepEqual(await readdir(base), [])
  t.regex(String((error as Error & { fix?: string }).fix), /--stand-in-port/)
})
