/**
 * What happened, as one stream that the log, the metrics, readiness and the test API's `requests` read. No event holds a
 * token.
 */

/** A request for a token, answered. */
export interface RequestEvent {
  type: 'request'
  /** Epoch ms. */
  at: number
  kind: 'id' | 'access'
  /** The audience of an ID token, without secrets and a query; empty for an access token or where none was given. */
  audience: string
  /** The scopes asked for with an access token. */
  scopes: readonly string[]
  /** Email that the token speaks for; empty where the caller has no identity. */
  identity: string
  /** Who asked: a name where one is known, else the address. */
  caller: string
  result: 'hit' | 'mint' | 'stale' | 'error'
  status: number
  /** The failure's code; absent where Google's server has the same failure. */
  code?: string | undefined
  /** What failed and its fix, for the log. */
  reason?: string | undefined
  tookMs: number
  /** Epoch ms; absent on failure. */
  expiresAtMs?: number | undefined
  /** The first hit on a stored token: logged at `info`, later ones only at `debug`. */
  first?: boolean | undefined
  /** The ID token's fingerprint; absent on failure. */
  fp?: string | undefined
}

/** A mint that ended, whoever waited for it. */
export interface MintEvent {
  type: 'mint'
  at: number
  kind: 'id' | 'access'
  audience: string
  scopes: readonly string[]
  identity: string
  /** True where it ran behind an answer, so that no request event reports it. */
  behind: boolean
  /** The failure, where it failed. */
  code?: string
  reason?: string
  /** What to type. */
  fix?: string
  /** True where the failure may pass by itself. */
  transient?: boolean
  tookMs: number
  expiresAtMs?: number
}

/** What a gate decided about one request. Recorded once the head of its answer is on its way. */
export interface GateEvent {
  type: 'gate'
  at: number
  /** `report`: the gate runs in mode report and would otherwise have refused it. */
  decision: 'allow' | 'refuse' | 'report'
  /** Status of the refusal, or the status that it would have had; absent on `allow`. */
  status?: number | undefined
  /** The upstream's status, 502 where it failed; absent where it was not asked, or the caller left before. */
  upstreamStatus?: number | undefined
  /** A code of the catalogue, or `INVOKER` or `PUBLIC` for an admitted request. */
  code: string
  /** Who asked: a name where one is known, else the address. */
  caller: string
  /** The gate's host as asked for. */
  host: string
  method: string
  /** Without its query, cut at 200 characters. */
  path: string
  /** The verified token's audience; empty where no token was verified. */
  audience: string
  /** Email, or subject where there is none, of the verified token. */
  principal: string
  /** What was wrong and its fix; empty on `allow`. */
  reason: string
  /** What would let the token's account in; absent where it may call, or where nothing here would. */
  lines?: Lines | undefined
  tookMs: number
  /** What a token must have here; absent where no gate has the host. */
  wants?: GateWants | undefined
  /** The fingerprint of the token that came; absent where none was read. */
  fp?: string | undefined
  /** What that token says, verified or not; absent where it says nothing that can be read. */
  claims?: Readonly<Record<string, unknown>> | undefined
}

/** A service broke its answer off whose head had gone to the caller: the call's own event says only that it was answered. */
export interface CutEvent {
  type: 'cut'
  at: number
  call: GateEvent
  /** Of the catalogue. */
  code: string
  /** Why, and its fix. */
  reason: string
}

/** Lines to copy. */
export interface Lines {
  /** For the settings, here. */
  here: string
  /** For a shell, in production; absent where production has nothing to change. */
  production?: string
}

/** What a gate asks of a token. */
export interface GateWants {
  audiences: readonly string[]
  /** `google` or issuer URLs. */
  trust: readonly string[]
  /** Whether gcloud's own audiences are taken too. */
  gcloudAudiences: boolean
  /** Members in IAM's words, without those of a policy file. */
  invokers: readonly string[]
}

/** A warning or a change of state that the operator should read. */
export interface NoticeEvent {
  type: 'notice'
  at: number
  level: 'info' | 'warn' | 'error'
  /** Stable and searchable, upper snake case. */
  code: string
  text: string
}

export type SidemintEvent = RequestEvent | MintEvent | GateEvent | CutEvent | NoticeEvent

export interface Events {
  record(event: SidemintEvent): void
  /** Calls the reader with every event from now on. Readers never throw. */
  subscribe(reader: (event: SidemintEvent) => void): void
}

/** Records a notice. */
export type Notice = (level: NoticeEvent['level'], code: string, text: string) => void

/** `now`: epoch ms. */
export function createNotice({ record }: Pick<Events, 'record'>, now: () => number): Notice {
  return (level, code, text) => record({ type: 'notice', at: now(), level, code, text })
}

export function createEvents(): Events {
  const readers: ((event: SidemintEvent) => void)[] = []
  return {
    record(event) {
      for (const reader of readers) reader(event)
    },
    subscribe(reader) {
      readers.push(reader)
    },
  }
}
