/** Whether a service's clients would ask a proxy for tokens. */

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseJson } from '../../core/json.ts'
import { type Finding, fail } from '../finding.ts'
import type { Service } from './project.ts'
import { asData, asText } from './shapes.ts'

type Variables = Record<string, string>

/** Who asks a proxy for tokens (measured with google-auth-library 9 to 11, google-auth 2.63, google-cloud-auth 1.18). */
const PROXIED: Variables = { HTTP_PROXY: 'code in Node.js, Python, Ruby or Rust', HTTPS_PROXY: 'Node.js' }

/** `hosts`: by which the service reaches a metadata server. */
export function lintProxies(
  { environment, dockerProxies }: Service,
  hosts: readonly string[],
  check: string,
): Finding[] {
  const all = { ...dockerProxies, ...environment }
  const proxy = Object.keys(PROXIED).find((name) => either(all, name) !== '')
  if (proxy === undefined) return []
  const where = either(environment, proxy) === '' ? "set by Docker's own config.json" : 'set'
  return demandSpared(all, hosts, check, `${proxy} is ${where}`, `${PROXIED[proxy]} asks the proxy for tokens`)
}

/** `hosts`: those over TLS for which sidemint stands in. */
export function lintKeyProxy(
  { environment, dockerProxies }: Service,
  hosts: readonly string[],
  check: string,
): Finding[] {
  const all = { ...dockerProxies, ...environment }
  if (either(all, 'HTTPS_PROXY') === '') return []
  return demandSpared(all, hosts, check, 'HTTPS_PROXY is set', "it fetches Google's own keys through the proxy")
}

/** A failure where NO_PROXY leaves out one of the hosts. */
function demandSpared(
  all: Variables,
  hosts: readonly string[],
  check: string,
  isSet: string,
  consequence: string,
): Finding[] {
  const spared = either(all, 'NO_PROXY')
    .split(',')
    .map((entry) => entry.trim())
  const missing = [...new Set(hosts)].filter((host) => !spared.some((entry) => covers(entry, host)))
  if (missing.length === 0) return []
  const what = `${isSet} and NO_PROXY does not name ${missing.join(', ')}, so ${consequence}`
  return [fail(check, what, `add ${missing.join(',')} to NO_PROXY and to no_proxy`)]
}

function either(variables: Variables, name: string): string {
  return [variables[name], variables[name.toLowerCase()]].filter(Boolean).join(',')
}

/** As Node.js reads NO_PROXY (gaxios 8.3): names and `.suffix`, but no bare suffix, no `*.` and no network. */
function covers(entry: string, host: string): boolean {
  return entry === host || (/^\*?\./.test(entry) && host.endsWith(entry.replace('*', '')))
}

const KEYS: Variables = { HTTP_PROXY: 'httpProxy', HTTPS_PROXY: 'httpsProxy', NO_PROXY: 'noProxy' }

/**
 * What Docker's client adds to every container unless the service says otherwise, and `config` does not print
 * (docs.docker.com/engine/cli/proxy; seen with Docker Compose 2.26).
 */
export async function readDockerProxies(env: NodeJS.ProcessEnv): Promise<Variables> {
  const directory = env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker')
  const text = await readFile(join(directory, 'config.json'), 'utf8').catch(() => '')
  const { proxies } = asData(parseJson(text))
  const chosen = asData(asData(proxies)[env.DOCKER_HOST ?? ''] ?? asData(proxies).default)
  const set = Object.entries(KEYS).map(([name, key]) => [name, asText(chosen[key])] as const)
  const both = set.flatMap(([name, value]) => [[name, value] as const, [name.toLowerCase(), value] as const])
  return Object.fromEntries(both.filter(([, value]) => value !== ''))
}
