/** `sidemint gate` in a process of its own, before a service of the test's, trusting a server of the test's. */

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { startCli } from '../command-line.ts'

export const BILLING = 'billing@acme-dev.iam.gserviceaccount.com'

export const scratch = mkdtempSync(join(tmpdir(), 'sidemint-gate-'))

/** The key that the server and `--user` share. */
export const keyFile = join(scratch, 'key.pem')
export let metadata: Sidemint
test.before(async () => {
  metadata = await startSidemint({ serviceAccount: BILLING, keyFile })
})

test.after.always(async () => {
  await metadata.close()
  rmSync(scratch, { recursive: true, force: true })
})

/** A service on a free port; by default it answers `ok`. */
export async function startService(t: ExecutionContext, answer: http.RequestListener = (_, res) => void res.end('ok')) {
  const service = http.createServer(answer).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => {
    service.closeAllConnections()
    service.close()
  })
  const { port } = service.address() as AddressInfo
  return { service, port, url: `http://127.0.0.1:${port}` }
}

type Banner = { urls: string[]; adminUrl: string; gates: { upstream: string; invokers: string[] }[] }

/** A gate on free ports that trusts the server alone, and where it is reached. */
export async function startGate(t: ExecutionContext, argv: readonly string[]) {
  const all = ['gate', '--port=0', '--admin-port=0', '--trust', metadata.issuer, ...argv]
  const gate = await startCli<Banner>(t, all)
  return { ...gate, front: gate.banner.urls[0] ?? '' }
}
