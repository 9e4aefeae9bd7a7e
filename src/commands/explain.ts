/** `sidemint explain`: what a gate decides about a token, and why. The token itself is never printed. */

import { flagOf, type Settings } from '../config/settings.ts'
import { createEvents } from '../core/events.ts'
import { reachable } from '../core/host.ts'
import { readFileOrPipe, takeSnapshot } from '../core/snapshot.ts'
import { createJudges } from '../gate/judge.ts'
import { frontedGates, type GateOptions, gatesOf } from '../gate/options.ts'
import { claimsOf, type Explanation, explain } from '../inspector/explain.ts'
import { type Arguments, type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import { ask, askJson, whyNoServer } from './ask.ts'
import type { Io } from './command.ts'
import { explanationText } from './explanation.ts'
import { MOST_CHARACTERS, readPasted } from './pasted.ts'

const SHAPE: CommandShape = {
  name: 'explain',
  usage: 'explain [--audience URL] [--policy FILE | --server URL] [--json] < TOKEN',
  summary: `Reads a token on stdin and says whether a service would take it, why, and what would have to differ. A token may
come with or without Bearer, or as a header line; it is never printed. A gate's own code decides: with --server (or
SIDEMINT_SERVER) the gates of that server, to which alone the token is sent; without it those of a service that
--policy or --invoker describe, else the gates of sidemint.yaml, else, where no flag describes a service, those of the
server at the default address, if it has any. Of several gates it is the one that the token is for, or that --audience
names by its audience or host. stderr says whose gates decided. Exits 0 where the token is admitted, 1 where it is
refused.`,
  flags: { json: { help: 'print JSON: decision, code, status, reason, fix, gate, account, claims, checks, lines' } },
  takes: 'nothing',
}

/** Settings that describe a service of their own. */
const DESCRIBING = ['policy', 'invoker'] as const
/** Settings that say something about a service. */
const SAYING = [...DESCRIBING, 'audience', 'trust', 'group', 'subject'] as const

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const parsed = await readArguments(SHAPE, { argv, env: io.env })
  const { settings, chosen, given, own } = parsed
  const describes = DESCRIBING.filter((name) => given.has(name))
  const [needless] = given.has('server') ? describes : []
  if (needless !== undefined)
    throw misuse(`--${needless}: the server at --server has its own; leave out one of the two`)
  if (io.stdinIsTerminal) io.stderr.write('sidemint: reading a token from stdin; Ctrl-D ends it\n')
  const rawHeaders = readPasted(await io.readStdin(MOST_CHARACTERS))
  const asksServer = describes.length === 0 && (chosen.has('server') || (await isServerMeant(parsed)))
  io.stderr.write(`sidemint: asked ${whoDecides(parsed, asksServer, describes)}\n`)
  const explanation = asksServer
    ? await askServer(rawHeaders, settings)
    : await explainHere(rawHeaders, parsed, describes.length > 0, io)
  io.stdout.write(own.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation))
  return explanation.decision === 'admitted' ? 0 : 1
}

/**
 * Nothing describes a service, and the server at the default address has gates. It is asked without the token. Throws
 * NO_SERVER where it is silent.
 */
async function isServerMeant({ settings, chosen }: Arguments): Promise<boolean> {
  if (settings.gates.length > 0 || SAYING.some((name) => chosen.has(name))) return false
  if ((await whyNoServer(settings.server)) !== undefined) return false
  const answer = await ask(settings.server, '/_sidemint/explain').catch(() => undefined)
  return answer?.ok === true
}

function whoDecides({ settings }: Arguments, asksServer: boolean, describes: readonly string[]): string {
  const { server, gates, config } = settings
  if (asksServer) return `the gates of the server at ${server}`
  if (gates.length > 0 && describes.length === 0)
    return `no server: the gates of ${config} decide; --server URL asks those of a running one`
  const by = ([...DESCRIBING, 'audience'] as const).filter((name) => settings[name]?.length).map(flagOf)
  const what =
    by.length > 0
      ? `${by.join(' and ')} ${by.length > 1 ? 'describe' : 'describes'} the service`
      : 'nothing describes the service, so every audience and account will do'
  return `no server: ${what}; --server URL asks the gates of a running one`
}

async function askServer(rawHeaders: readonly string[], { server, audience }: Settings): Promise<Explanation> {
  const query = audience[0] === undefined ? '' : `?${new URLSearchParams({ audience: audience[0] })}`
  const headers = new Headers()
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  return askJson(server, `/_sidemint/explain${query}`, {
    headers,
    field: 'decision',
    unsaid: 'it has no gates to ask',
    misused: { GATE_UNKNOWN: '--audience' },
  })
}

async function explainHere(
  rawHeaders: readonly string[],
  { settings, chosen }: Arguments,
  described: boolean,
  { stderr }: Io,
): Promise<Explanation> {
  const events = createEvents()
  events.subscribe((event) => {
    if (event.type === 'notice') stderr.write(`sidemint: ${event.text}\n`)
  })
  const { gates, audience, project, region } = settings
  const listed = gates.length > 0 && !described
  const issuer = issuerOf(settings, chosen)
  const list = listed ? frontedGates(settings, issuer) : [describedGate(rawHeaders, settings, issuer)]
  const judges = await createJudges(list, {
    events,
    place: { project, region },
    readFile: takeSnapshot(readFileOrPipe).read,
  })
  const question = { rawHeaders, audience: listed ? audience[0] : undefined, now: Date.now() }
  const explanation = await explain(judges, question).catch((error) => {
    throw error.code === 'GATE_UNKNOWN' ? misuse(`--audience: ${error.message}; ${error.fix}`) : error
  })
  if (explanation.code !== 'KEYS_UNAVAILABLE') return explanation
  return {
    ...explanation,
    fix: `ask the gates of a running server, which has its keys, with --server URL; or ${explanation.fix}`,
  }
}

/** Whose local tokens count: those of the server that these settings start. */
function issuerOf({ issuer, server, host, port }: Settings, chosen: ReadonlySet<string>): string {
  return issuer ?? (chosen.has('port') ? `http://${reachable(host)}:${port}` : server)
}

/** A service that settings describe. What they leave open is not checked: any audience, any account. */
function describedGate(rawHeaders: readonly string[], settings: Settings, issuer: string): GateOptions {
  const { audience, invoker, policy, trust } = settings
  const aud = claimsOf(rawHeaders)?.aud
  const [gate] = gatesOf({
    ...settings,
    gates: [],
    upstream: 'http://127.0.0.1',
    audience: audience.length > 0 ? audience : [typeof aud === 'string' ? aud : 'URL'],
    invoker: invoker.length > 0 || policy !== undefined ? invoker : ['allAuthenticatedUsers'],
    trust: [...new Set([...trust, issuer])],
  })
  return gate as GateOptions
}
