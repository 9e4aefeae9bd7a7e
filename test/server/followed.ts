/** A server whose settings file is looked at when a test says so. */

import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import { readArguments } from '../../src/commands/arguments.ts'
import { createFollower } from '../../src/config/follow.ts'
import { createEvents } from '../../src/core/events.ts'
import { readClaims } from '../../src/core/token.ts'
import { checkFronted } from '../../src/gate/options.ts'
import { startServer } from '../../src/server.ts'
import { DEFAULT_ACCOUNT, FLAVOR } from '../http-client.ts'
import { recordEvents } from '../recorder.ts'

export async function startFollowed(t: ExecutionContext, settingsText: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-reload-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'sidemint.yaml')
  writeFileSync(path, settingsText)
  const argv = ['--port=0', '--gate-port=0', '--source=local', '--config', path]
  const shape = { name: 'serve', usage: '', summary: '', flags: {}, takes: 'nothing', check: checkFronted } as const
  const { settings, followed } = await readArguments(shape, { argv, env: {} })
  const events = createEvents()
  const seen = recordEvents(events)
  const reports: string[] = []
  const follower = createFollower({ ...followed, settings, report: (_, code, said) => reports.push(`${code} ${said}`) })
  const server = await startServer({ settings, env: {}, events, frontGates: true, readFile: follower.readFile })
  t.teardown(() => server.close())
  const look = () => follower.look(server.apply)
  return {
    ...server,
    folder,
    path,
    seen,
    reports,
    look,
    /** Writes the file, and looks until it is applied or refused. */
    async save(next: string) {
      writeFileSync(path, next)
      for (let looks = 0; looks < 3; looks += 1) await look()
    },
  }
}

const agents = new Map<string, Agent>()

/** Asks by connections that are kept, from an address of this machine's own. */
export async function askFrom(address: string, url: string, path: string, headers: Record<string, string> = FLAVOR) {
  const agent = agents.get(address) ?? new Agent({ keepAlive: true, localAddress: address })
  agents.set(address, agent)
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request(new URL(path, url), { agent, headers }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: await text(response) })
    })
    asked.on('error', reject).end()
  })
}

/** Whose token this address gets: an email, or the status of the refusal. */
export async function whoAmI(address: string, url: string, audience: string): Promise<string> {
  const { status, body } = await askFrom(address, url, `${DEFAULT_ACCOUNT}/identity?format=full&audience=${audience}`)
  return status === 200 ? String(readClaims(body)?.email) : String(status)
}

const account = (name: string) => `${name}@p-1.iam.gserviceaccount.com`

/**
 * The settings of one round: cut at nearly any line's end they are YAML too, and give an account to everybody. Short, since
 * each byte is written and looked at.
 */
function settingsOf(round: number): string {
  return `identities:
 - serviceAccount: ${account(`orders-${round}`)}
   callers: [127.0.0.2/32]
 - serviceAccount: ${account(`billing-${round}`)}
   callers:
    - 127.0.0.3/32
 - serviceAccount: ${account(`everybody-${round}`)}
`
}

/** Rewrites the file byte by byte with a look after each, while three callers ask without a pause. */
export async function rewriteUnderLoad(t: ExecutionContext, rounds: number): Promise<void> {
  const server = await startFollowed(t, settingsOf(0))
  const callers = { '127.0.0.1': 'everybody', '127.0.0.2': 'orders', '127.0.0.3': 'billing' }
  let round = 0
  let running = true
  const wrong: string[] = []
  let answers = 0
  const load = Object.entries(callers).map(async ([address, name]) => {
    while (running) {
      const before = Math.max(0, round - 1)
      const got = await whoAmI(address, server.url, `https://a-${answers % 8}.example`)
      answers += 1
      const allowed = [before, round - 1, round].map((one) => account(`${name}-${Math.max(0, one)}`))
      if (!allowed.includes(got))
        wrong.push(`${address} got ${got} in round ${round}, not one of ${allowed.join(', ')}`)
    }
  })
  for (round = 1; round <= rounds; round += 1) {
    const text = settingsOf(round)
    for (let length = 0; length <= text.length; length += 1) {
      // Only the first empties it: ext4 puts each file on the disk that was emptied and written again, which takes milliseconds.
      if (length === 0) writeFileSync(server.path, '')
      else appendFileSync(server.path, text.charAt(length - 1))
      await server.look()
      if (length % 4 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await server.look()
    for (const [address, name] of Object.entries(callers)) {
      t.is(await whoAmI(address, server.url, 'https://after.example'), account(`${name}-${round}`))
    }
  }
  running = false
  await Promise.all(load)
  t.deepEqual(wrong, [])
  t.true(answers > rounds, `${answers} answers`)
}
