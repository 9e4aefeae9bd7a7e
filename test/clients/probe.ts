/** Runs a client's probe: a small program of its language that writes one JSON line for each thing it got. */

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AccessGrant, readAccessToken } from '../../src/issuer/access-token.ts'
import type { SigningKeys } from '../../src/issuer/keys.ts'
import type { Way } from './way.ts'

export const ACCOUNT = 'orders@acme-dev.iam.gserviceaccount.com'
export const PROJECT = 'acme-dev'
export const ISSUER = 'http://metadata.google.internal'
/** What a probe asks for, as the JSON of its first argument; `url` comes from the way. */
export const ASKED = {
  audience: 'https://x.example/?a=1#f',
  bareAudience: 'orders',
  refusedAudience: 'https://refused.example',
  scopes: ['https://www.googleapis.com/auth/userinfo.email', 'https://www.googleapis.com/auth/pubsub'],
  issuer: ISSUER,
}

/** Some clients do not encode the audience, so that it ends where a fragment would begin. */
export const CUT_AUDIENCE = 'https://x.example/?a=1'

export type Step =
  | 'detection'
  | 'project'
  | 'account'
  | 'accessToken'
  /** An access token with the scopes of the request. */
  | 'scopes'
  | 'idToken'
  | 'bareIdToken'
  | 'universe'
  /** The client's own verifier took the token, by our keys. */
  | 'verified'
  /** A request that the server refuses; the value is what the client's user reads. */
  | 'refused'
  | 'subscribed'

export interface Client {
  name: string
  command: readonly string[]
  steps: readonly Step[]
  /** Why there is no run with the variables. */
  withoutVariables?: string
  /** What of a refusal its user must read. Default: the code. */
  refusal?: RegExp
  /** It does not encode the audience. */
  cutsAudience?: boolean
  /** What `detection` is. Default: anything. */
  platform?: string
  env?: Readonly<Record<string, string>>
}

export interface Outcome {
  client: Client
  way: Way['name']
  version: string
  good: ReadonlySet<Step>
  /** What the user reads when the mint is refused. */
  refused: string
  /** One for each step that failed. */
  problems: readonly string[]
  tookMs: number
}

interface Line {
  step: Step | 'version'
  value?: unknown
  error?: string
}

/** Probes must not find another way than the one that is tried: no gcloud, no login. */
const NO_COMMANDS = '/nonexistent'

/** Runs the client's probe in a fresh home. */
export async function runProbe(client: Client, way: Way, keys: SigningKeys): Promise<Outcome> {
  const home = mkdtempSync(join(tmpdir(), 'sidemint-client-'))
  const asked = JSON.stringify({ ...ASKED, url: way.url })
  const variables = { PATH: NO_COMMANDS, HOME: home, LANG: 'C.UTF-8', ...client.env, ...way.env }
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const enter = [...way.enter, '/usr/bin/env', '-i', ...assignments]
  const startedAt = performance.now()
  const { stdout, stderr } = await execute([...enter, ...client.command, asked])
  const tookMs = performance.now() - startedAt
  rmSync(home, { recursive: true, force: true })
  const lines = stdout.split('\n').flatMap((line): Line[] => (line.startsWith('{"step"') ? [JSON.parse(line)] : []))
  const found = new Map(lines.map((line) => [line.step, line]))
  const problems = new Map<Step, string>()
  for (const step of client.steps) {
    const problem = await judge(step, found.get(step), client, keys)
    if (problem !== undefined) problems.set(step, `${step}: ${problem}`)
  }
  return {
    client,
    way: way.name,
    version: String(found.get('version')?.value ?? ''),
    good: new Set(client.steps.filter((step) => !problems.has(step))),
    refused: String(found.get('refused')?.value ?? ''),
    problems: problems.size === 0 ? [] : [...problems.values(), stderr.slice(-2000)],
    tookMs,
  }
}

async function execute(command: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const [program = '', ...argv] = command
  return new Promise((resolve) => {
    execFile(program, argv, { timeout: 240_000, maxBuffer: 16 << 20 }, (_, stdout, stderr) =>
      resolve({ stdout, stderr }),
    )
  })
}

/** What is wrong with what a probe got. */
async function judge(
  step: Step,
  line: Line | undefined,
  client: Client,
  keys: SigningKeys,
): Promise<string | undefined> {
  if (line === undefined) return 'the probe did not get there'
  if (line.error !== undefined) return line.error
  const wanted = await expectation(step, line.value, client, keys)
  return wanted === undefined ? undefined : `${JSON.stringify(line.value)} is not ${wanted}`
}

/** What the value should have been; undefined where it is. */
async function expectation(step: Step, value: unknown, client: Client, keys: SigningKeys): Promise<string | undefined> {
  const equals = (wanted: string) => (value === wanted ? undefined : wanted)
  const holds = (condition: boolean, wanted: string) => (condition ? undefined : wanted)
  switch (step) {
    case 'detection':
      return client.platform === undefined ? holds(value === true, 'true') : equals(client.platform)
    case 'project':
      return equals(PROJECT)
    case 'account':
      return equals(ACCOUNT)
    case 'universe':
      return equals('googleapis.com')
    case 'accessToken':
    case 'scopes': {
      const grant = await readAccessToken(keys, String(value), Date.now())
      return holds(grant?.principal === ACCOUNT && (step === 'accessToken' || hasScopes(grant)), `a token for ${step}`)
    }
    case 'idToken':
    case 'bareIdToken': {
      const { aud, iss, exp = 0 } = ((await keys.verify(String(value)))?.claims ?? {}) as Record<string, unknown>
      const full = client.cutsAudience === true ? CUT_AUDIENCE : ASKED.audience
      const audience = step === 'idToken' ? full : ASKED.bareAudience
      return holds(aud === audience && iss === ISSUER && Number(exp) * 1000 > Date.now(), `a token for ${audience}`)
    }
    case 'refused':
      return holds((client.refusal ?? /AUDIENCE_NOT_ALLOWED/).test(String(value)), `${client.refusal ?? 'the code'}`)
    case 'verified':
    case 'subscribed':
      return holds(value === true, 'true')
  }
}

function hasScopes({ scopes }: AccessGrant): boolean {
  return [...scopes].sort().join() === [...ASKED.scopes].sort().join()
}

/** A command's whole path, since probes run without PATH; the name itself where it is not installed. */
export function pathOf(command: string): string {
  const folders = (process.env.PATH ?? '').split(':')
  return folders.map((folder) => join(folder, command)).find((path) => existsSync(path)) ?? command
}
