/** Signed URLs by Google's storage libraries, which have no key: offline by the stand-in, and with real credentials. */

import { createHash, createVerify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { testWith } from '../clients/toolchain.ts'
import { installNode, installPython, ROOT } from './installs.ts'
import { createNetwork, type Network } from './network.ts'
import { codeOf } from './page.ts'
import { EMAIL, startServer } from './server.ts'

const scratch = mkdtempSync(join(tmpdir(), 'sidemint-signed-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

/** What makes a signed URL, and the variable by which it trusts who answers as Google. */
const MAKERS = {
  'Node.js, @google-cloud/storage': {
    needs: ['npm'],
    async command() {
      const folder = join(scratch, 'node')
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
      writeFileSync(join(folder, 'sign.js'), codeOf('Node.js, a signed URL'))
      const modules = join(await installNode('node-11'), 'node_modules')
      if (!existsSync(join(folder, 'node_modules'))) symlinkSync(modules, join(folder, 'node_modules'))
      return [process.execPath, join(folder, 'sign.js')]
    },
    variable: 'NODE_EXTRA_CA_CERTS',
  },
  'Python, google-cloud-storage': {
    needs: ['python3'],
    async command() {
      const script = join(scratch, 'sign.py')
      writeFileSync(script, codeOf('Python, a signed URL'))
      return [await installPython(), script]
    },
    variable: 'REQUESTS_CA_BUNDLE',
  },
}

/** What is signed, of a URL of version 4: cloud.google.com/storage/docs/authentication/signatures#string-to-sign. */
function stringToSign({ pathname, searchParams, host }: URL): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  const query = [...searchParams]
    .filter(([name]) => name !== 'X-Goog-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
  const request = ['GET', pathname, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const scope = (searchParams.get('X-Goog-Credential') ?? '').replace(/^[^/]+\//, '')
  const hash = createHash('sha256').update(request).digest('hex')
  return ['GOOG4-RSA-SHA256', searchParams.get('X-Goog-Date'), scope, hash].join('\n')
}

/** Makes one and verifies it by the account's certificate, as it is published in this network once `between` is over. */
async function check(
  t: ExecutionContext,
  network: Network,
  command: readonly string[],
  env: Record<string, string>,
  between: () => Promise<unknown> = async () => {},
) {
  const url = new URL((await network.run(command, { HOME: scratch, ...env })).trim())
  t.is(url.searchParams.get('X-Goog-Credential')?.split('/')[0], EMAIL)
  await between()
  const [ca = ''] = Object.values(env)
  const published = `https://www.googleapis.com/robot/v1/metadata/x509/${EMAIL}`
  const certificates = JSON.parse(await network.run(['curl', '--silent', '--show-error', '--cacert', ca, published]))
  const verify = createVerify('sha256').update(stringToSign(url))
  const { publicKey } = new X509Certificate(String(Object.values(certificates)[0]))
  t.true(verify.verify(publicKey, url.searchParams.get('X-Goog-Signature') ?? '', 'hex'))
}

/** The fake Google in this network, and a key of the account, which may sign as itself. */
async function startGoogle(network: Network) {
  const dir = mkdtempSync(join(scratch, 'google-'))
  const description = {
    dir,
    metadataPort: 8999,
    keys: [{ email: EMAIL, file: 'key.json' }],
    grants: [[EMAIL, 'roles/iam.serviceAccountTokenCreator', EMAIL]],
  }
  const child = network.start([process.execPath, join(ROOT, 'test/google/main.ts')], {
    FAKE_GOOGLE: JSON.stringify(description),
  })
  child.stderr.pipe(process.stderr)
  await once(child.stdout, 'data')
  return { key: join(dir, 'key.json'), ca: join(dir, 'ca.pem'), stop: () => void child.kill() }
}

for (const [name, { needs, command, variable }] of Object.entries(MAKERS)) {
  testWith(
    needs,
    `${name}: its URL carries a signature that our published certificate verifies, also after a restart`,
    async (t) => {
      t.timeout(240_000)
      const making = await command()
      const network = await createNetwork()
      const server = await startServer(network)
      t.teardown(async () => {
        await server.close()
        await network.close()
      })
      await check(t, network, making, { [variable]: join(server.directory, 'bundle.pem') }, server.restart)
    },
  )

  testWith(needs, `${name}: the same code reaches signBlob with real credentials`, async (t) => {
    t.timeout(240_000)
    const making = await command()
    const network = await createNetwork()
    const google = await startGoogle(network)
    const server = await startServer(network, {
      flags: ['--source=google'],
      env: { GOOGLE_APPLICATION_CREDENTIALS: google.key, NODE_EXTRA_CA_CERTS: google.ca },
    })
    t.teardown(async () => {
      await server.close()
      google.stop()
      await network.close()
    })
    await check(t, network, making, { [variable]: google.ca })
  })
}
