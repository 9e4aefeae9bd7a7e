/** The engine and its stacks, through the command that people type. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const ROOT = new URL('../..', import.meta.url).pathname
/** Where node is in the image, which has no shell. */
export const NODE = '/nodejs/bin/node'
export const CLI = '/opt/sidemint/cli.js'

/** The shell's own choice of a stack must not become ours. */
const { COMPOSE_FILE: _file, COMPOSE_PROJECT_NAME: _name, ...inherited } = process.env
const env = { ...inherited, COMPOSE_PROGRESS: 'quiet' }

/** What the command wrote to stdout, trimmed. Throws with what it wrote to stderr. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('docker', args, { cwd: ROOT, env, maxBuffer: 64 * 1024 * 1024 })
  return stdout.trim()
}

/** Uses the engine that runs; where none does, starts the one of this project's machines. */
export async function startEngine(): Promise<void> {
  const runs = await docker('info', '--format', '{{.ServerVersion}}').catch(() => '')
  if (runs !== '') return
  const script = join(process.env.SHARED ?? join(ROOT, '../shared'), 'bin/docker-engine')
  await run(script, [], { env }).catch((error) => {
    throw new Error(`no engine runs, and ${script} started none: ${error.message}`)
  })
}

/** Milliseconds that the work took. */
export async function timed(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work
  return Math.round(performance.now() - startedAt)
}

export interface Container {
  Id: string
  State: { StartedAt: string; ExitCode: number; Health?: { Status: string; Log: { End: string; ExitCode: number }[] } }
  Config: { Env: string[]; User: string }
}

export async function inspect(container: string): Promise<Container> {
  return JSON.parse(await docker('inspect', container))[0]
}

/** How long after its start a container's first good health check ended, in milliseconds. */
export function healthyAfterMs({ State }: Container): number {
  const first = State.Health?.Log.find(({ ExitCode }) => ExitCode === 0)
  return first === undefined ? Number.POSITIVE_INFINITY : Date.parse(first.End) - Date.parse(State.StartedAt)
}

/** A script's output in a container of the image, whose only program is Node.js. */
export async function evaluate(container: string, script: string, node = NODE): Promise<string> {
  return await docker('exec', container, node, '--input-type=module', '--eval', script)
}

export interface Stack {
  compose(...args: readonly string[]): Promise<string>
  /** The id of a service's container. */
  container(service: string): Promise<string>
  /** What orders answers to the host. */
  askOrders(): Promise<{ status: number; body: Answer }>
  down(): Promise<unknown>
}

/** The demo's answer. */
export interface Answer {
  error?: string
  billing: { caller: string; claims: Record<string, unknown> }
}

export function createStack(project: string, file: string): Stack {
  const compose = (...args: readonly string[]) => docker('compose', '-p', project, '-f', file, ...args)
  return {
    compose,
    container: (service) => compose('ps', '--all', '--quiet', service),
    async askOrders() {
      const response = await fetch(`http://${await compose('port', 'orders', '8080')}/`)
      return { status: response.status, body: (await response.json()) as Answer }
    },
    down: () => compose('down', '--volumes', '--rmi', 'local', '--timeout', '2'),
  }
}
