/** The two ways to a server: the variables that `sidemint env` prints, and the fixed address in a network namespace. */

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')
const DNS = join(import.meta.dirname, 'dns.ts')
const NAMESPACE = `sidemint-${process.pid}`
const RESOLVER = `/etc/netns/${NAMESPACE}`
const { getuid = () => 0, getgid = () => 0 } = process
const AS_ROOT = getuid() === 0 ? [] : ['sudo', '--non-interactive']
const INSIDE = [...AS_ROOT, 'ip', 'netns', 'exec', NAMESPACE]

export interface Way {
  name: 'variables' | 'address'
  /** Where clients reach the server. */
  url: string
  /** What points clients at it. */
  env: Readonly<Record<string, string>>
  /** What stands before a client's command. */
  enter: readonly string[]
  close(): Promise<void>
}

/** What a test of the fixed address needs; the last is never found, so that the reason is printed. */
export const NAMESPACE_NEEDS = ['ip', 'setpriv', ...(mayBeRoot() ? [] : ['right-to-make-network-namespaces'])]

function mayBeRoot(): boolean {
  try {
    execFileSync('sh', ['-c', [...AS_ROOT, 'true'].join(' ')], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A server on a free port, and what `sidemint env` prints for it. */
export async function byVariables(argv: readonly string[]): Promise<Way> {
  const { child, line } = await start([process.execPath, CLI, 'serve', '--port=0', '--log-format=json', ...argv])
  const { url } = JSON.parse(line) as { url: string }
  const { stdout } = await run(process.execPath, [CLI, 'env', '--format=json', '--server', url])
  const printed = Object.entries(JSON.parse(stdout) as Record<string, string | null>)
  const env = Object.fromEntries(printed.filter((entry): entry is [string, string] => entry[1] !== null))
  return { name: 'variables', url, env, enter: [], close: () => stop(child) }
}

/** A network namespace that owns 169.254.169.254, with the server on its port 80 and a DNS server for its name. */
export async function byAddress(argv: readonly string[]): Promise<Way> {
  const shell = [
    `ip netns add ${NAMESPACE}`,
    `ip -n ${NAMESPACE} link set lo up`,
    `ip -n ${NAMESPACE} address add 169.254.169.254/32 dev lo`,
    `mkdir -p ${RESOLVER}`,
    `echo nameserver 127.0.0.1 > ${RESOLVER}/resolv.conf`,
  ].join(' && ')
  await asRoot('sh', '-c', shell)
  const dns = await start([...INSIDE, process.execPath, DNS])
  const serve = [...INSIDE, process.execPath, CLI, 'serve', '--host=169.254.169.254', '--port=80', ...argv]
  const { child } = await start(serve)
  return {
    name: 'address',
    url: 'http://169.254.169.254',
    env: {},
    enter: [...INSIDE, 'setpriv', `--reuid=${getuid()}`, `--regid=${getgid()}`, '--clear-groups'],
    async close() {
      await Promise.all([stop(child), stop(dns.child)])
      await asRoot('sh', '-c', `ip netns del ${NAMESPACE}; rm -r ${RESOLVER}`)
    },
  }
}

async function asRoot(...command: readonly string[]): Promise<void> {
  const [program = '', ...argv] = [...AS_ROOT, ...command]
  await run(program, argv)
}

/** A command that stays, once it has written its first line. */
async function start(command: readonly string[]): Promise<{ child: ChildProcess; line: string }> {
  const [program = '', ...argv] = command
  const child = spawn(program, argv, { env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines = [child.stdout, child.stderr].map((input) => once(createInterface({ input }), 'line'))
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`${command.join(' ')} ended with ${code}`)),
  )
  const [line] = await Promise.race([...lines, ended])
  ended.catch(() => {})
  return { child, line }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = once(child, 'exit')
  child.kill()
  await ended
}
