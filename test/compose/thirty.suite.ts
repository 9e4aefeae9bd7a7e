/** Thirty gated services: still one sidemint and two networks. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { stringify } from 'yaml'
import { createStack, ROOT, startEngine, timed } from './docker.ts'

const PROJECT = 'sidemint-test-thirty'
const NAMES = Array.from({ length: 30 }, (_, index) => `service-${index + 1}`)
const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`
const urlOf = (name: string) => `http://${name}:8080`

/** Answers who called, by the claims that the gate has verified. */
const SERVICE = `require('node:http').createServer(({ headers }, response) => {
  const payload = (headers.authorization ?? '').split('.')[1] ?? ''
  response.end(JSON.parse(Buffer.from(payload, 'base64url')).email)
}).listen(8080)`

const directory = mkdtempSync(join(tmpdir(), 'sidemint-thirty-'))
const file = join(directory, 'compose.yaml')

/** Each may be called by the one before it, and the first by the last. */
const callerOf = (index: number) => NAMES.at(index - 1) ?? ''

const settings = {
  project: 'acme-dev',
  identities: NAMES.map((name) => ({ serviceAccount: at(name), callers: [`${name}-app`] })),
  gates: NAMES.map((name, index) => ({
    host: name,
    upstream: `http://${name}-app:8080`,
    audience: [urlOf(name)],
    invoker: [`serviceAccount:${at(callerOf(index))}`],
  })),
}

const service = {
  image: 'node:24-bookworm-slim',
  init: true,
  command: ['node', '--eval', SERVICE],
  networks: ['default', 'metadata'],
  depends_on: { sidemint: { condition: 'service_healthy' } },
}

const compose = {
  services: {
    sidemint: {
      build: ROOT,
      environment: { SIDEMINT_SOURCE: 'local' },
      volumes: ['./:/etc/sidemint:ro'],
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': 0 },
      networks: {
        default: { aliases: NAMES },
        metadata: { ipv4_address: '169.254.169.254', aliases: ['metadata.google.internal'] },
      },
    },
    ...Object.fromEntries(NAMES.map((name) => [`${name}-app`, service])),
  },
  networks: {
    metadata: {
      internal: true,
      driver_opts: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
      ipam: { config: [{ subnet: '169.254.169.0/24' }] },
    },
  },
}

const stack = createStack(PROJECT, { files: [file] })

test.before('docker compose up of thirty services', async (t) => {
  chmodSync(directory, 0o755)
  writeFileSync(file, stringify(compose))
  writeFileSync(join(directory, 'sidemint.yaml'), stringify(settings))
  await startEngine()
  await stack.down()
  t.log(`up --wait: ${await timed(stack.compose('up', '--build', '--wait'))} ms`)
})

test.after.always(async () => {
  await stack.down()
  rmSync(directory, { recursive: true })
})

test.serial('one sidemint and two networks are enough', async (t) => {
  const services = (await stack.compose('config', '--services')).split('\n')
  t.is(services.length, NAMES.length + 1)
  const { networks } = JSON.parse(await stack.compose('config', '--format', 'json'))
  t.deepEqual(Object.keys(networks).toSorted(), ['default', 'metadata'])
})

test.serial("each is called by the one before it, under that one's account", async (t) => {
  await Promise.all(
    NAMES.map(async (name, index) => {
      const caller = callerOf(index)
      const { status, body } = await stack.call(`${caller}-app`, urlOf(name), urlOf(name))
      t.is(status, 200, body)
      t.is(body, at(caller))
    }),
  )
})

test.serial('and by nobody else', async (t) => {
  for (const name of ['service-3', 'service-30', 'service-1']) {
    t.is((await stack.call('service-7-app', urlOf(name), urlOf(name))).status, 403)
  }
})
