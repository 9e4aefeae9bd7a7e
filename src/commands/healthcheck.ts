/** `sidemint healthcheck`: for a container's HEALTHCHECK, so it loads nothing but node:http. */

import { get } from 'node:http'
import { parseArgs } from 'node:util'
import { listensEverywhere } from '../core/host.ts'
import type { Io } from './command.ts'

const TIMEOUT_MS = 2_000
const DEFAULT_PORTS = ['16925']
/** A container of the image runs the server or a gate; the gate's health is on its admin port. */
const IMAGE_PORTS = ['80', '8081']

export const help = () => `sidemint healthcheck [--ready] [--port N]

Exits 0 when the process on this host serves; with --ready also only when its last mint did not fail for good.
Asks SIDEMINT_PORT, or for a gate SIDEMINT_ADMIN_PORT where that is set; in the image, whichever of the two runs.
`

export async function run(argv: readonly string[], { env, stderr }: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: { ready: { type: 'boolean' }, port: { type: 'string' } },
    strict: false,
  })
  const misuse = (problem: string) => {
    stderr.write(`sidemint: ${problem}\n${help()}`)
    return 2
  }
  const unknown = Object.keys(values).find((name) => name !== 'ready' && name !== 'port')
  if (unknown !== undefined) return misuse(`--${unknown}: unknown flag`)
  if (positionals.length > 0) return misuse(`${positionals[0]}: this command takes no arguments`)
  const adminPort = env.SIDEMINT_ADMIN_PORT || undefined
  const named = values.port ?? adminPort ?? (env.SIDEMINT_PORT || undefined)
  const ports = named === undefined ? (env.SIDEMINT_IMAGE === 'true' ? IMAGE_PORTS : DEFAULT_PORTS) : [String(named)]
  if (ports.some((port) => !/^\d+$/.test(port) || Number(port) > 65535)) {
    return misuse('--port: must be a whole number from 0 to 65535')
  }
  const set = (adminPort === undefined && env.SIDEMINT_HOST) || ''
  const host = set === '' || listensEverywhere(set) ? '127.0.0.1' : set
  const path = values.ready === true ? '/_sidemint/ready' : '/_sidemint/health'
  const complaints: string[] = []
  for (const port of ports) {
    const complaint = await whyUnhealthy(host, port, path)
    if (complaint === undefined) return 0
    complaints.push(`sidemint: ${host}:${port}${path}: ${complaint}\n`)
  }
  stderr.write(complaints.join(''))
  return 1
}

/** Undefined where the path answers 200. */
function whyUnhealthy(host: string, port: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const failed = (error: NodeJS.ErrnoException) =>
      resolve(signal.aborted ? 'no answer in time' : (error.code ?? error.message))
    const request = get({ host, port, path, signal }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response
        .on('error', failed)
        .on('end', () => resolve(response.statusCode === 200 ? undefined : body.trim() || `${response.statusCode}`))
    })
    request.on('error', failed)
  })
}
