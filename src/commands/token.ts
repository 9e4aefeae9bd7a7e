/** `sidemint token`: one ID token on stdout, from the server that runs, or minted here where none does. */

import { failure } from '../errors.ts'
import { createEvents } from '../events.ts'
import { createIdentities } from '../identities.ts'
import type { SettingName, Settings } from '../settings.ts'
import { readClaims } from '../token.ts'
import { type Arguments, type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'

/** Given one of these as a flag, the token is minted in this process. */
const MINTING = ['source', 'impersonateServiceAccount', 'project', 'issuer', 'keyFile', 'allowUserTokens'] as const

const SHAPE: CommandShape = {
  usage: 'token --audience URL [--service-account EMAIL] [--format full] [--claims]',
  summary: 'Prints one ID token, or its claims. Asks the server at --server; mints here where none answers.',
  settings: ['config', 'server', 'serviceAccount', ...MINTING] satisfies SettingName[],
  flags: {
    audience: { value: 'URL', help: 'who the token is for' },
    format: { value: 'FORMAT', help: 'standard or full: full adds the email (default: standard)' },
    claims: { help: 'print the decoded claims as JSON instead' },
  },
  takes: 'nothing',
}

/** A server on this host answers its listing at once; a busy host takes its time. */
const PROBE_TIMEOUT_MS = 3_000
/** A server gives up on Google after ten seconds. */
const ANSWER_TIMEOUT_MS = 15_000

const UNVOUCHED =
  'sidemint: this local token is signed with a key of this moment, so no server can vouch for it. ' +
  'Fix: --key-file, or start `sidemint serve`\n'

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const parsed = await readArguments(SHAPE, { argv, env: io.env })
  const { audience, format = 'standard', claims } = parsed.own
  const problem =
    typeof audience !== 'string' || audience === ''
      ? '--audience: name who the token is for'
      : format !== 'standard' && format !== 'full'
        ? `--format: must be standard or full, not "${format}"`
        : undefined
  if (problem !== undefined) throw misuse(problem)
  const token = await obtainToken(
    { audience: String(audience), format: format === 'full' ? 'full' : 'standard' },
    parsed,
    io,
  )
  io.stdout.write(claims === true ? `${JSON.stringify(readClaims(token), null, 2)}\n` : `${token}\n`)
  return 0
}

export interface Wanted {
  audience: string
  format: 'standard' | 'full'
}

/** A token as `token` and `curl` get it. */
export async function obtainToken(wanted: Wanted, { settings, given }: Arguments, io: Io): Promise<string> {
  const mintsHere = MINTING.some((name) => given.has(name))
  const named = given.has('server') || io.env.SIDEMINT_SERVER !== undefined
  if (!mintsHere) {
    const reason = await whyNoServer(settings.server)
    if (reason === undefined) return askServer(wanted, settings, given.has('serviceAccount'))
    if (named) throw failure('NO_SERVER', { url: settings.server, reason })
  }
  return mintHere(wanted, settings, io)
}

/** Undefined where a metadata server answers. */
async function whyNoServer(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS), redirect: 'manual' })
    return response.headers.get('metadata-flavor') === 'Google' ? undefined : 'something else listens there'
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } }
    return cause?.code ?? message
  }
}

async function askServer(wanted: Wanted, settings: Settings, namesAccount: boolean): Promise<string> {
  const account = namesAccount ? settings.serviceAccount : 'default'
  const url = `${settings.server}/computeMetadata/v1/instance/service-accounts/${account}/identity?${new URLSearchParams({ ...wanted })}`
  const response = await fetch(url, {
    headers: { 'Metadata-Flavor': 'Google' },
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  })
  const body = await response.text()
  if (response.ok) return body
  throw failure('SERVER_REFUSED', {
    url: settings.server,
    status: String(response.status),
    reason: reasonOf(body) ?? `it has no account ${account}`,
  })
}

function reasonOf(body: string): string | undefined {
  try {
    const { error, error_description } = JSON.parse(body) as Record<string, string>
    return `${error}: ${error_description}`
  } catch {
    return undefined
  }
}

async function mintHere(wanted: Wanted, settings: Settings, { env, stderr }: Io): Promise<string> {
  const { source, primary, tokens } = await createIdentities({
    settings,
    env,
    issuer: () => settings.issuer ?? settings.server,
    events: createEvents(),
    now: Date.now,
  })
  if (source.name === 'local' && settings.keyFile === undefined) stderr.write(UNVOUCHED)
  try {
    const token = await tokens.mint({ kind: 'id', principal: primary.email, ...wanted })
    return token.value
  } finally {
    tokens.close()
  }
}
