/** The engine and its stacks, through the command that people type. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readClaims } from '../../src/core/token.ts'
import { DEFAULT_ACCOUNT } from '../http-client.ts'

const run = promisify(execFile)

export const ROOT = new URL('../..', import.meta.url).pathname
/** Where node is in the image, which has no shell. */
export const NODE = '/nodejs/bin/node'
export const CLI = '/opt/sidemint/cli.js'

/** The shell's own choice of a stack must not become ours. */
const { COMPOSE_FILE: _file, COMPOSE_PROJECT_NAME: _name, ...inherited } = process.env
const env = { ...inherited, COMPOSE_PROGRESS: 'quiet' }

/** What the command wrote to stdout, trimmed. Throws with what it wrote to stderr. */
export function docker(...args: readonly string[]): Promise<string> {
  return dockerWith({}, ...args)
}

async function dockerWith(variables: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('docker', args, {
    cwd: ROOT,
    env: { ...env, ...variables },
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout.trim()
}

/** Uses the engine that runs; where none does, starts one (docs/architecture.md, "The engine of the suites"). */
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
  NetworkSettings: { Networks: Record<string, { IPAddress: string }> }
}

export async function inspect(container: string): Promise<Container> {
  return JSON.parse(await docker('inspect', container))[0]
}

/** The variables of a container that would tell a Google client, or us, something. */
export function googleVariables({ Config }: Container): string[] {
  return Config.Env.filter((variable) =>
    /^(GCE_|GOOGLE_|GCLOUD_|CLOUDSDK_|METADATA_|K_|SIDEMINT_|NO_PROXY)/i.test(variable),
  )
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
  /** What a script in a service's container prints as JSON; it has Node.js by the name of `node`. */
  evaluate(service: string, script: string): Promise<unknown>
  /** What the metadata server answers a service for an audience. The Host header is as given. */
  askToken(service: string, audience: string, options?: { url?: string; host?: string }): Promise<TokenAnswer>
  /** What a service is answered that calls with a token for the audience, or with none. */
  call(service: string, url: string, audience?: string): Promise<{ status: number; body: string }>
  /** Stops the services and starts them one after the other; the engine gives each the lowest free address. */
  restartInOrder(...services: readonly string[]): Promise<void>
  /** What orders answers to the host. */
  askOrders(): Promise<{ status: number; body: Answer }>
  down(): Promise<unknown>
}

/** What a service of the demo answers: who called it, and the same of the services that it called. */
export interface Answer {
  status?: number
  error?: string
  caller?: string
  claims?: Record<string, unknown>
  calls: Record<string, Answer>
}

export interface TokenAnswer {
  status: number
  /** The token, or why there is none. */
  body: string
  /** Whose token it is; empty where there is none. */
  email: string
}

export interface StackOptions {
  /** Compose files; the later ones are laid over the first. */
  files: readonly string[]
  /** For what the files take from the environment. */
  variables?: Readonly<Record<string, string>>
}

/** By node:http, since fetch sends no other Host than the URL's. */
const GET = `
  import http from 'node:http'
  import https from 'node:https'
  const ask = (url, headers) => new Promise((resolve, reject) => (url.startsWith('https:') ? https : http).get(url, { headers }, async (response) => {
    let body = ''
    for await (const chunk of response) body += chunk
    resolve({ status: response.statusCode, body })
  }).on('error', reject))
  const askToken = (url, audience, host) =>
    ask(url + '${DEFAULT_ACCOUNT}/identity?format=full&audience=' + encodeURIComponent(audience), {
      'Metadata-Flavor': 'Google', ...(host === '' ? {} : { host }),
    })`

/** The metadata server where Google's clients look for it. */
export const METADATA_URL = 'http://169.254.169.254'

export function createStack(project: string, { files, variables = {} }: StackOptions): Stack {
  const given = files.flatMap((file) => ['-f', file])
  const compose = (...args: readonly string[]) => dockerWith(variables, 'compose', '-p', project, ...given, ...args)
  const container = (service: string) => compose('ps', '--all', '--quiet', service)
  const evaluateIn = async (service: string, script: string) =>
    JSON.parse(await evaluate((await container(service)).split('\n')[0] ?? '', script, 'node'))
  return {
    compose,
    container,
    evaluate: evaluateIn,
    async askToken(service, audience, { url = METADATA_URL, host = '' } = {}) {
      const asked = [url, audience, host].map((text) => JSON.stringify(text)).join(', ')
      return readToken(await evaluateIn(service, `${GET}\nconsole.log(JSON.stringify(await askToken(${asked})))`))
    },
    call: async (service, url, audience) =>
      (await evaluateIn(
        service,
        `${GET}
        const audience = ${JSON.stringify(audience ?? '')}
        const { status, body: token } = audience === '' ? { body: '' } : await askToken('${METADATA_URL}', audience, '')
        if (token !== '' && status !== 200) throw new Error('no token: ' + status + ' ' + token)
        const answer = await ask(${JSON.stringify(url)}, token === '' ? {} : { authorization: 'Bearer ' + token })
        console.log(JSON.stringify(answer))`,
      )) as { status: number; body: string },
    async restartInOrder(...services) {
      await compose('stop', '--timeout', '2', ...services)
      for (const service of services) await compose('start', service)
    },
    async askOrders() {
      const response = await fetch(`http://${await compose('port', 'orders', '8080')}/`)
      return { status: response.status, body: (await response.json()) as Answer }
    },
    down: () =>
      compose('down', '--volumes', '--rmi', 'local', '--timeout', '2', '--remove-orphans').catch(sayLeftBehind),
  }
}

/** An older engine now and then keeps a network's endpoint whose container is gone, until it is started anew. */
function sayLeftBehind(error: Error): void {
  const network = /^ *Network \S+ +Error$/m.exec(error.message)
  if (network === null) throw error
  console.error(`left behind:${network[0]}`)
}

export function readToken({ status, body }: { status: number; body: string }): TokenAnswer {
  const claims = status === 200 ? readClaims(body) : undefined
  return { status, body, email: String(claims?.email ?? '') }
}
