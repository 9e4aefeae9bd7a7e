/** A network of our own without any way out, in which Google's names lead to the address that sidemint has in a stack. */

import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { KEY_HOSTS, METADATA_ADDRESS } from '../../src/core/google.ts'

const run = promisify(execFile)

/** Namespaces are made by root. */
const AS_ROOT = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive']

type Variables = Readonly<Record<string, string>>

export interface Network {
  /** What the command prints. It has the given variables and no other, but a PATH. */
  run(command: readonly string[], env?: Variables): Promise<string>
  start(command: readonly string[], env?: Variables): ChildProcessWithoutNullStreams
  close(): Promise<void>
}

/** Beside Google's key hosts: the metadata server by its name, and one name more that leads to the same address. */
const NAMES = [...KEY_HOSTS, 'metadata.google.internal', 'example.com']

export interface NetworkOptions {
  /** As whom commands run. Default: who runs this. */
  uid?: number
  /** From which port on everybody may listen. Default: 0, all. */
  freePortsFrom?: number
}

export async function createNetwork({
  uid = process.getuid?.() ?? 0,
  freePortsFrom = 0,
}: NetworkOptions = {}): Promise<Network> {
  const scratch = mkdtempSync(join(tmpdir(), 'sidemint-network-'))
  const hosts = join(scratch, 'hosts')
  const resolv = join(scratch, 'resolv.conf')
  writeFileSync(hosts, `127.0.0.1 localhost\n${NAMES.map((name) => `${METADATA_ADDRESS} ${name}\n`).join('')}`)
  writeFileSync(resolv, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
  const { enter, leave } = await hold(
    ['net', 'mount'],
    `mount --bind '${hosts}' /etc/hosts && mount --bind '${resolv}' /etc/resolv.conf && ip link set lo up &&
      echo ${freePortsFrom} > /proc/sys/net/ipv4/ip_unprivileged_port_start &&
      ip address add ${METADATA_ADDRESS}/32 dev lo`,
  )
  const asUser = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, '--clear-groups']
  const within = (inside: readonly string[], env: Variables) =>
    enter([
      ...[...asUser, 'env', '--ignore-environment'],
      ...Object.entries({ PATH: process.env.PATH ?? '', ...env }).map(([name, value]) => `${name}=${value}`),
      ...inside,
    ])
  return {
    async run(inside, env = {}) {
      const [program = '', ...rest] = within(inside, env)
      return (await run(program, rest, { maxBuffer: 16 * 1024 * 1024 })).stdout
    },
    start(inside, env = {}) {
      const [program = '', ...rest] = within(inside, env)
      return spawn(program, rest)
    },
    async close() {
      await leave()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

interface Namespaces {
  /** A command line that runs the command in them, as root. */
  enter(command: readonly string[]): string[]
  leave(): Promise<void>
}

/** Namespaces of our own, as `unshare` names them, in which the script has run. They end with this process. */
export async function hold(kinds: readonly string[], script: string): Promise<Namespaces> {
  const flags = kinds.map((kind) => `--${kind}`)
  const [command = '', ...args] = [...AS_ROOT, 'unshare', ...flags, 'sh', '-c', `${script} && echo $$ && exec cat`]
  // It ends with its standard input, and the namespaces with it, however this process ends.
  const holder = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [pid] = (await Promise.race([
    once(createInterface({ input: holder.stdout }), 'line'),
    once(holder, 'exit').then(([code]) => Promise.reject(new Error(`no namespaces (exit ${code})`))),
  ])) as [string]
  return {
    enter: (inside) => [...AS_ROOT, 'nsenter', `--target=${pid}`, ...flags, '--', ...inside],
    async leave() {
      holder.stdin.end()
      await once(holder, 'exit')
    },
  }
}
