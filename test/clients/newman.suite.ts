/** The Postman collection of examples/, run headless through a gate. */

import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'
import { BILLING, metadata, scratch, startGate, startService } from '../gate/process.ts'
import { testWith } from './toolchain.ts'

const run = promisify(execFile)
const COLLECTION = join(import.meta.dirname, '../../examples/postman/sidemint.postman_collection.json')
/** 60 MB with all that it needs, so it is no dependency of ours. */
const NEWMAN = 'newman@6.2.2'

testWith(['npm'], 'newman is green through the gate, and red without the pre-request script', async (t) => {
  t.timeout(300_000)
  const directory = join(scratch, 'newman')
  mkdirSync(directory)
  writeFileSync(join(directory, 'package.json'), '{ "private": true }')
  await run('npm', ['install', '--no-audit', '--no-fund', NEWMAN], { cwd: directory })

  const { url } = await startService(t)
  const port = await freePort()
  const ledger = `http://127.0.0.1:${port}`
  const invoker = `--invoker=serviceAccount:${BILLING}`
  const gate = await startGate(t, [`--port=${port}`, '--upstream', url, '--audience', ledger, invoker])
  const newman = (collection: string) =>
    run(process.execPath, [
      join(directory, 'node_modules/newman/bin/newman.js'),
      ...['run', collection, '--env-var', `metadata=${metadata.url}`, '--env-var', `ledger=${ledger}`],
    ])

  const { stdout } = await newman(COLLECTION)
  t.regex(stdout, /the gate admits the caller/)
  const without = join(directory, 'without.json')
  writeFileSync(without, JSON.stringify({ ...JSON.parse(readFileSync(COLLECTION, 'utf8')), event: [] }))
  const red = await t.throwsAsync(newman(without))
  t.regex((red as Error & { stdout: string }).stdout, /expected response to have status code 200 but got 403/)
  t.deepEqual(
    gate.records.filter(({ event }) => event === 'gate').map(({ code }) => code),
    ['INVOKER', 'TOKEN_MISSING'],
  )
})
