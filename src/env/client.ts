/**
 * The variables that point every Google client at a metadata server (docs/wire.md, "Variables"). Clients that find a
 * login on the laptop never ask a metadata server, so CLOUDSDK_CONFIG is an empty directory of ours.
 */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { METADATA_ADDRESS, METADATA_NAME, METADATA_URL, METADATA_VARIABLES } from '../core/google.ts'
import { DEFAULT_URL } from '../core/host.ts'

/** A value of undefined means: not set. */
export type ClientEnv = Record<string, string | undefined>

/**
 * Clients that read no variable and always ask metadata.google.internal or 169.254.169.254 (docs/wire.md, "Variables"):
 * openai 6.49 and 7.57 for Node.js and 3.57 for Python, googleauth 0.13, yup-oauth2 12, gcp_auth 0.12, PHP's google/auth.
 */
export const VARIABLES_UNREAD_BY =
  "PHP, Ruby's googleauth before 1.8, Rust's yup-oauth2 and gcp_auth, and openai (Node.js, Python)"

/** Clients may also reach the server by these, on a network that gives it that name or address. */
const OUR_HOSTS = [METADATA_NAME, METADATA_ADDRESS]

/** What a shell types to be pointed at a server. `url`: without a final slash. */
export function shellLine(url: string): string {
  return `eval "$(sidemint env${url === DEFAULT_URL ? '' : ` --server ${url}`})"`
}

export interface ClientEnvOptions {
  /** The server, as its clients reach it. */
  url: string
  /** An empty directory of ours for CLOUDSDK_CONFIG. */
  emptyDirectory: string
  /** The variables as they are now. */
  env: NodeJS.ProcessEnv
  /** The server's project, where it is known. */
  project?: string | undefined
}

export function createClientEnv({ url, emptyDirectory, env, project }: ClientEnvOptions): ClientEnv {
  const { hostname } = new URL(url)
  return {
    ...pointersTo(url),
    ...(env.GOOGLE_CLOUD_PROJECT ? {} : projectEnv(project)),
    NO_PROXY: withHosts(env.NO_PROXY ?? env.no_proxy, hostname),
    no_proxy: withHosts(env.no_proxy ?? env.NO_PROXY, hostname),
    CLOUDSDK_CONFIG: emptyDirectory,
    SIDEMINT_HOST_CLOUDSDK_CONFIG: env.SIDEMINT_HOST_CLOUDSDK_CONFIG ?? env.CLOUDSDK_CONFIG ?? '',
    GOOGLE_APPLICATION_CREDENTIALS: undefined,
    // With `true`, Python's and Java's libraries do not look for a metadata server (docs/wire.md, "Variables").
    NO_GCE_CHECK: undefined,
  }
}

/** The block for a compose service: it reaches the server by its alias, and has no login to hide. */
export function createComposeEnv(project: string | undefined): ClientEnv {
  const noProxy = withHosts(undefined, METADATA_NAME)
  return { ...pointersTo(METADATA_URL), ...projectEnv(project), NO_PROXY: noProxy, no_proxy: noProxy }
}

/** Without it Node's library runs gcloud for seconds to learn the project (docs/wire.md, "Variables"). */
function projectEnv(project: string | undefined): ClientEnv {
  return project === undefined ? {} : { GOOGLE_CLOUD_PROJECT: project }
}

/** A login that some clients find whatever the variables say: Go, and Node's library before 10.9 (docs/wire.md, "Variables"). */
export function loginUnderHome(env: NodeJS.ProcessEnv): string | undefined {
  const path = join(env.HOME || homedir(), '.config', 'gcloud', 'application_default_credentials.json')
  return existsSync(path) ? path : undefined
}

/**
 * For Google's clients host and port without a scheme: most add `http://` themselves. Node prefers the IP; gcloud and C++
 * read only the ROOT (docs/wire.md, "Variables"). For our own commands the URL.
 */
function pointersTo(url: string): ClientEnv {
  const { host, origin } = new URL(url)
  return {
    ...Object.fromEntries(METADATA_VARIABLES.map((name) => [name, host])),
    METADATA_SERVER_DETECTION: 'assume-present',
    SIDEMINT_SERVER: origin,
  }
}

/** `*` means every host, but only by itself. */
function withHosts(current: string | undefined, hostname: string): string {
  const hosts = (current ?? '').split(/[\s,]+/)
  if (hosts.includes('*')) return '*'
  return [...new Set([...hosts, hostname, ...OUR_HOSTS])].filter((host) => host !== '').join(',')
}
