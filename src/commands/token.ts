/** `sidemint token`: one ID token on stdout, from a running server, or minted here where none runs. */

import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
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
import { ask, order, readAnswer, whyNoServer } from './ask.ts'
import type { Io } from './command.ts'
import { endOf, findTokenFile, keepTokenFile, writeTokenFile } from './token-file.ts'

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
  usage: 'token --audience URL [--service-account EMAIL] [--format full] [--claims | --out FILE [--watch]]',
  summary: `Prints one ID token, or its claims. Asks the server at --server; mints here where none answers.
With --out and --watch it keeps a file fresh for clients that read their token from one: ANTHROPIC_IDENTITY_TOKEN_FILE,
AWS_WEB_IDENTITY_TOKEN_FILE, Vault.`,
  flags: {
    user: USER_FLAG,
    audience: { value: 'URL', help: 'who the token is for' },
    format: { value: 'FORMAT', help: 'standard or full: full adds the email (default: standard)' },
    claims: { help: 'print the decoded claims as JSON instead' },
    out: { value: 'FILE', help: 'write the token into this file instead (mode 0600, in one step)' },
    watch: { help: 'stay, and replace it in time: the token in --out has at least five minutes left, until SIGTERM' },
  },
  takes: 'nothing',
}

const oneTimeKey = (fix: string) =>
  `sidemint: this token is signed with a one-time key that no server publishes, so receivers cannot verify it. Fix: ${fix}\n`

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const parsed = await readArguments(SHAPE, { argv, env: io.env })
  const wanted = readWanted(parsed)
  const { out, watch, claims } = parsed.own
  if (watch === true && out === undefined) throw misuse('--watch: keeps a file fresh; name it with --out')
  if (claims === true && out !== undefined) throw misuse('--claims: is for the terminal; leave it out, or --out')
  if (typeof out === 'string') return writeOut(findTokenFile(out), watch === true, { wanted, parsed, io })
  const token = await obtainToken(wanted, parsed, io)
  io.stdout.write(claims === true ? `${JSON.stringify(readClaims(token), null, 2)}\n` : `${token}\n`)
  return 0
}

interface Asking {
  wanted: Wanted
  parsed: Arguments
  io: Io
}

async function writeOut(path: string, watch: boolean, { wanted, parsed, io }: Asking): Promise<number> {
  if (!watch) {
    const token = await obtainToken(wanted, parsed, io)
    endOf(token, path, Date.now())
    await writeTokenFile(path, token)
    return 0
  }
  let mint: Mint | undefined
  await keepTokenFile({
    path,
    obtain: async () => {
      mint ??= await findMint(wanted, parsed, io)
      return mint()
    },
    say: (text) => io.stderr.write(`sidemint: ${text}\n`),
    now: Date.now,
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
    stopped: io.stopSignal(),
  })
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

type Mint = () => Promise<string>

/** A token as `token` and `curl` get it. */
export async function obtainToken(wanted: Wanted, parsed: Arguments, io: Io): Promise<string> {
  return (await findMint(wanted, parsed, io))()
}

/** Who mints is decided here and then stays: a server that stops for a moment is not replaced by other tokens. */
async function findMint(wanted: Wanted, parsed: Arguments, io: Io): Promise<Mint> {
  const { settings, given } = parsed
  if ('user' in wanted) return findUserMint(wanted.user, parsed, io)
  return (await findServer(parsed, io))
    ? () => askServer(wanted, settings, given.has('serviceAccount'))
    : () => mintHere(wanted, settings, io)
}

/** A server signs a person's token only for somebody who has its control secret. */
async function findUserMint(user: string, parsed: Arguments, io: Io): Promise<Mint> {
  const { settings } = parsed
  const secret = readControlSecret(settings.controlSecretFile, io.env)
  if (secret === undefined || !(await findServer(parsed, io))) return () => mintForUser(user, settings, io)
  return async () => {
    const body = await read(
      settings.server,
      order(settings.server, 'issue', { user }, secret),
      'it has no control secret',
    )
    return (JSON.parse(body) as { token: string }).token
  }
}

/** Whether to ask the server: it answers. Throws NO_SERVER where a server was named that does not answer, and where one is silent. */
async function findServer({ settings, given }: Arguments, { env }: Io): Promise<boolean> {
  if (![...given].every((name) => FOR_A_SERVER.includes(name))) return false
  const reason = await whyNoServer(settings.server)
  const named = given.has('server') || env.SIDEMINT_SERVER !== undefined
  if (reason !== undefined && named) throw failure('NO_SERVER', { url: settings.server, reason })
  return reason === undefined
}

async function askServer(wanted: ForAudience, settings: Settings, namesAccount: boolean): Promise<string> {
  const account = namesAccount ? settings.serviceAccount : 'default'
  const path = `/computeMetadata/v1/instance/service-accounts/${account}/identity?${new URLSearchParams({ ...wanted })}`
  return read(settings.server, ask(settings.server, path), `it has no account ${account}`)
}

/**
 * The body of a 200. Throws NO_SERVER or SERVER_REFUSED. `unsaid`: the reason to give where the server gives none, as for
 * failures in Google's words.
 */
async function read(url: string, asked: Promise<Response>, unsaid: string): Promise<string> {
  const { response, body } = await readAnswer(url, asked)
  const { ok, status } = response
  if (ok) return body
  const refusal = readErrorBody(body)
  const reason = refusal === undefined ? unsaid : `${refusal.code}: ${refusal.message}`
  const passes = status === 503 ? { status } : {}
  throw failure('SERVER_REFUSED', { url, status: String(status), reason }, { fix: refusal?.fix, ...passes })
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
  demandKeyFile(settings)
  if (settings.keyFile === undefined) stderr.write(oneTimeKey('--key-file, the file that your server signs with'))
  const warn = (text: string) => stderr.write(`sidemint: ${text}\n`)
  const options = { settings, issuer: () => settings.issuer ?? settings.server, now: Date.now }
  const keys = createSigningKeys({ ...options, warn })
  const local = createLocalSource({ ...options, keys })
  return (await local.issue({ user })).value
}
