import { execFile } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { COMPILE_CACHE } from '../compile-cache.ts'
import { startFakeGoogle } from '../google/start.ts'
import { ANN, CI, CREATOR, MIDDLE, ORDERS } from './google/rows.ts'

test('the library is loaded by the first mint, prints nothing, runs no gcloud and asks nobody but Google; Koa is not loaded for it', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(ANN, CREATOR, ORDERS)
  google.grant(CI, CREATOR, MIDDLE)
  google.grant(MIDDLE, CREATOR, ORDERS)
  google.grant((await google.workloadProvider()).principal('workload'), CREATOR, ORDERS)
  const mark = join(google.dir, 'gcloud-was-run')
  chmodSync(google.write('bin/gcloud', `#!/bin/sh\ntouch ${mark}\n`), 0o755)
  const credentials = {
    user: google.userLogin(ANN),
    impersonated: google.impersonated(await google.serviceAccountKey(CI), MIDDLE),
    federated: await google.externalAccount({ from: 'file' }),
  }
  const files = Object.entries(credentials).map(([name, adc]) => google.write(`${name}.json`, adc))
  const env = {
    ...COMPILE_CACHE,
    ...google.env,
    PATH: `${join(google.dir, 'bin')}:${process.env.PATH}`,
    GOOGLE_SDK_NODE_LOGGING: 'all',
  }
  const script = join(import.meta.dirname, 'lazy.ts')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ORDERS, ...files], { env })
  t.deepEqual(JSON.parse(stdout), {
    before: false,
    after: true,
    koa: false,
    outcomes: ['minted', 'minted', 'minted'],
  })
  t.is(stderr, '')
  t.false(existsSync(mark))
  t.deepEqual(google.strangers, [])
})
