/** The shapes of what is kept and shown. Times are epoch ms. No row holds a token, a signature or a query string. */

import type { GateWants, Lines } from '../core/events.ts'

interface Folded {
  /** The same for as long as the row is kept. */
  id: number
  /** When it came first, and last. */
  at: number
  lastAt: number
  count: number
}

/** Calls from one service to another with the same outcome, as the called service's gate saw them. */
export interface Hop extends Folded {
  /** Its place on the page, as `hop-3f2a91bc`: the same for the same call and outcome, in the log and after a restart too. */
  address: string
  /** Who connected to the gate. */
  caller: string
  /** The gate's host. */
  service: string
  method: string
  path: string
  /** `report`: it would have been refused. */
  decision: 'allow' | 'refuse' | 'report'
  /** The status that the caller got; absent where it left before. */
  status?: number | undefined
  /** Of the refusal, or `INVOKER` or `PUBLIC`. */
  code: string
  /** What was wrong, with its fix; empty where nothing was. */
  reason: string
  /** The first check that failed. */
  failed?: Step | undefined
  /** What would let the account in; absent where nothing would, and where the call is not refused for its account. */
  lines?: Lines | undefined
  /** Email or subject of the verified token. */
  account: string
  /** The verified token's audience. */
  audience: string
  wants?: GateWants | undefined
  /** The last token's fingerprint and claims, verified or not. */
  fp?: string | undefined
  claims?: Record<string, unknown> | undefined
  /** Each claim that the gate checks, and what it expects. */
  checks: readonly Check[]
  /** Where the last token came from; absent where this server did not give it out. */
  token?: TokenOrigin | undefined
  /** Answers of the service that broke off after their heads: how many, when the last one, and why. */
  cut?: { count: number; lastAt: number; reason: string } | undefined
  /** When this caller last got a token for an audience that the gate accepts; absent where it never did. */
  askedAt?: number | undefined
}

/** What a gate checks, in its order. */
export type Step = 'token' | 'iss' | 'exp' | 'aud' | 'email'

export interface Check {
  claim: Exclude<Step, 'token'>
  /** The value in the token. */
  value?: unknown
  /** Absent where the gate did not get to it. */
  good?: boolean
}

export interface TokenOrigin {
  /** Its account. */
  identity: string
  audience: string
  /** Who asked for it first, and when. */
  caller: string
  at: number
}

/** Requests for one kind of token by one caller with the same outcome. Without a gate, this is all that is known of a call. */
export interface Asked extends Folded {
  /** Its place on the page, as `asked-3f2a91bc`: the same for the same request and outcome, as a hop's. */
  address: string
  /** How many of them were answered from the cache. */
  hits: number
  caller: string
  kind: 'id' | 'access'
  /** Empty for an access token. */
  audience: string
  scopes: readonly string[]
  /** The token's account; empty where the caller has no identity. */
  identity: string
  status: number
  code?: string | undefined
  reason?: string | undefined
  /** The last ID token's fingerprint. */
  fp?: string | undefined
  expiresAt?: number | undefined
}

/** All calls from one service to another. */
export interface Arrow extends Folded {
  caller: string
  service: string
  refused: number
  /** Status of the last call. */
  status?: number | undefined
  code: string
}

/** One request for a token. */
export interface RecordedRequest {
  at: number
  kind: 'id' | 'access'
  audience: string
  scopes: readonly string[]
  identity: string
  caller: string
  result: 'hit' | 'mint' | 'stale' | 'error'
  status: number
}

/** A grant that calls needed: the member may invoke the service. */
export interface Grant extends Folded {
  /** The gate's host. */
  service: string
  /** As IAM writes it. */
  member: string
  /** Whether the gate admitted it when it was last needed. */
  granted: boolean
}

/** A server's own state. */
export interface ServerState {
  version: string
  url: string
  source: string
  why: string
  /** The credentials now, or what is wrong with them; null where the source has none. */
  login: { about: string } | { code: string; fix: string } | null
  /** Of locally signed tokens. */
  issuer: string | null
  advice: readonly string[]
  failing: { code: string; fix: string } | null
  /** Where the services run in production, for lines to copy; absent where nothing says it. */
  project?: string | undefined
  region?: string | undefined
  settings: { file: string | null; appliedAt: number }
  identities: readonly IdentityState[]
  gates: readonly GateState[]
  cache: { stored: readonly StoredState[]; count: number }
  /** Whether tests may order something over HTTP. */
  control: boolean
}

/** Of gates in a process of their own, which mint nothing. */
export interface GatesState extends Pick<ServerState, 'version' | 'settings' | 'gates'> {
  source: null
}

export interface IdentityState {
  email: string | null
  accounts: readonly string[]
  callers: readonly string[]
  hosts: readonly string[]
  /** Of its own listener. */
  port: number | null
  isDefault: boolean
}

export interface GateState {
  host: string | null
  port: number | null
  upstream: string
  audiences: readonly string[]
  invokers: readonly string[]
  policy: string | null
  mode: string
  trust: readonly string[]
}

export interface StoredState {
  kind: string
  principal: string
  wanted: string
  ageMs: number
  leftMs: number
}
