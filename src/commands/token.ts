/** `sidemint token`: one ID token on stdout, from a running server, or minted here where none runs. */

import { existsSync } from 'node:fs'
import { invalid } from '../config/layers.ts'
import { flagOf, type SettingName, type Settings } from '../config/settings.ts'
import { readControlSecret } from '../control/secret.ts'
import { isEmail } from '../core/accounts.ts'
import { failure, readErrorBody } from '../core/errors.ts'
import { createEvents } from '../core/events.ts'
import { quoted } from '../core/schemas.ts'
import { readClaims } from '../core/token.ts'
import { createIdentities } from '../identity/identities.ts'
import { createSigningKeys } from '../issuer/keys.ts'
import { createLocalSource } from '../issuer/local.ts'
import { chooseSource } from '../mint/choose.ts'
import { type Arguments, type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import { ask, isMetadataServer, order } from './ask.ts'
import type { Io } from './command.ts'

/** A running server is asked only where all flags are among these; with another, this process mints. */
const FOR_A_SERVER: readonly string[] = [
  'config',
  'server',
  'serviceAccount',
  'controlSecretFile',
] satisfies SettingName[]

export const USER_FLAG = {
  value: 'EMAIL',
  help: "a person's token instead, as gcloud's; signed by the server where its control secret is given, else here with --key-file",
}

const SHAPE: CommandShape = {
  name: 'token',
  usage: 'token --audience URL [--service-account EMAIL] [--format full] [--claims]',
  summary: 'Prints one ID token, or its claims. Asks the server at --server; mints here where none answers.',
  flags: {
    user: USER_FLAG,
    audience: { value: 'URL', help: 'who the token is for' },
    format: { value: 'FORMAT', help: 'standard or full: full adds the email (default: standard)' },
    claims: { help: 'print the decoded claims as JSON instead' },
  },
  takes: 'nothing',
}

const oneTimeKey = (fix: string) =>
  `sidemint: this token is signed with a one-time key that no server publishes, so receivers cannot verify it. Fix: ${fix}\n`

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const parsed = await readArguments(SHAPE, { argv, env: io.env })
  const token = await obtainToken(readWanted(parsed), parsed, io)
  io.stdout.write(parsed.own.claims === true ? `${JSON.stringify(readClaims(token), null, 2)}\n` : `${token}\n`)
  return 0
}

interface ForAudience {
  audience: string
  format: 'standard' | 'full'
}

export type Wanted = ForAudience | { user: string }

function readWanted(parsed: Arguments): Wanted {
  const { audience, format = 'standard', user } = parsed.own
  if (typeof user === 'string') return readUser(user, parsed)
  if (typeof audience !== 'string' || audience === '') throw misuse('--audience: name who the token is for')
  if (format !== 'standard' && format !== 'full')
    throw misuse(`--format: must be standard or full, not ${quoted(String(format))}`)
  return { audience, format }
}

/** Throws SETTINGS_INVALID for settings that a person's token cannot have. */
export function readUser(user: string, { settings, given, own }: Arguments): Wanted {
  const needless = [...Object.keys(own), ...given].filter((name) => /^(audience|format|serviceAccount)$/.test(name))
  const problems = [
    ...(isEmail(user) ? [] : [`--user: must be an email, not ${quoted(user)}`]),
    ...needless.map((name) => `${flagOf(name)}: a person's token has gcloud's own audience and form; leave it out`),
    ...(/^(auto|local)$/.test(settings.source) ? [] : [`--user: is for the local source, not for ${settings.source}`]),
  ]
  if (problems.length > 0) throw invalid(problems)
  return { user }
}

/** A token as `token` and `curl` get it. */
export async function obtainToken(wanted: Wanted, parsed: Arguments, io: Io): Promise<string> {
  const { settings, given } = parsed
  if ('user' in wanted) return obtainForUser(wanted.user, parsed, io)
  return (await findServer(parsed, io))
    ? askServer(wanted, settings, given.has('serviceAccount'))
    : mintHere(wanted, settings, io)
}

/** A server signs a person's token only for somebody who has its control secret. */
async function obtainForUser(user: string, parsed: Arguments, io: Io): Promise<string> {
  const { settings } = parsed
  const secret = readControlSecret(settings.controlSecretFile, io.env)
  if (secret === undefined || !(await findServer(parsed, io))) return mintForUser(user, settings, io)
  const response = await order(settings.server, 'issue', { user }, secret)
  const body = await response.text()
  if (response.ok) return (JSON.parse(body) as { token: string }).token
  throw refusedBy(settings.server, response.status, body, 'it has no control secret')
}

/** Whether to ask the server: it answers. Throws NO_SERVER where a server was named that does not answer. */
async function findServer({ settings, given }: Arguments, { env }: Io): Promise<boolean> {
  if (![...given].every((name) => FOR_A_SERVER.includes(name))) return false
  const reason = await whyNoServer(settings.server)
  const named = given.has('server') || env.SIDEMINT_SERVER !== undefined
  if (reason !== undefined && named) throw failure('NO_SERVER', { url: settings.server, reason })
  return reason === undefined
}

/** Undefined where a metadata server answers. */
async function whyNoServer(url: string): Promise<string | undefined> {
  try {
    return isMetadataServer(await ask(url, '/')) ? undefined : 'something else listens there'
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } }
    return cause?.code ?? message
  }
}

async function askServer(wanted: ForAudience, settings: Settings, namesAccount: boolean): Promise<string> {
  const account = namesAccount ? settings.serviceAccount : 'default'
  const path = `/computeMetadata/v1/instance/service-accounts/${account}/identity?${new URLSearchParams({ ...wanted })}`
  const response = await ask(settings.server, path)
  const body = await response.text()
  if (response.ok) return body
  throw refusedBy(settings.server, response.status, body, `it has no account ${account}`)
}

/** `unsaid`: the reason to give where the server gives none, as for failures in Google's words. */
function refusedBy(url: string, status: number, body: string, unsaid: string): Error {
  const refusal = readErrorBody(body)
  const reason = refusal === undefined ? unsaid : `${refusal.code}: ${refusal.message}`
  return failure('SERVER_REFUSED', { url, status: String(status), reason }, { fix: refusal?.fix })
}

async function mintHere(wanted: ForAudience, settings: Settings, { env, stderr }: Io): Promise<string> {
  const isLocal = chooseSource(settings, env).name === 'local'
  if (isLocal) demandKeyFile(settings)
  const events = createEvents()
  events.subscribe((event) => {
    if (event.type === 'notice') stderr.write(`sidemint: ${event.text}\n`)
  })
  const issuer = () => settings.issuer ?? settings.server
  const { primary, tokens } = await createIdentities({ settings, env, issuer, events, now: Date.now })
  if (isLocal && settings.keyFile === undefined) {
    stderr.write(oneTimeKey('--key-file, or start `sidemint serve`'))
  }
  try {
    const token = await tokens.mint({ kind: 'id', principal: primary.principal, ...wanted })
    return token.value
  } finally {
    tokens.close()
  }
}

/** Only a server makes a key file, since it publishes the key: receivers would not know one that is made here. */
function demandKeyFile({ keyFile }: Settings): void {
  if (keyFile !== undefined && !existsSync(keyFile)) throw failure('KEY_FILE_MISSING', { path: keyFile })
}

async function mintForUser(user: string, settings: Settings, { stderr }: Io): Promise<string> {
  const { keyFile, issuer, server } = settings
  demandKeyFile(settings)
  if (keyFile === undefined) stderr.write(oneTimeKey('--key-file, the file that your server signs with'))
  const warn = (text: string) => stderr.write(`sidemint: ${text}\n`)
  const keys = createSigningKeys({ file: keyFile, warn, now: Date.now })
  const local = createLocalSource({ keys, issuer: () => issuer ?? server, now: Date.now })
  return (await local.issue({ user })).value
}
