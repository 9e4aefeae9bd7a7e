/**
 * Every failure of our own: a stable code, its HTTP status, what failed and what to type. The table of docs/reference.md
 * is printed from it. Failures that Google's server has too are in wire.ts, in Google's words.
 *
 * The statuses follow what Google's clients do with them (docs/wire.md, "Failures of our own"): 400 and 403 show the
 * body to the developer at once, 404 loses it in Go, Java and Ruby, and 503 is retried, so it is only for what passes by
 * itself.
 */

import { parseJson } from './json.ts'

interface Entry {
  /** HTTP status; 503 marks a passing fault, which may be retried. */
  status: 400 | 401 | 403 | 404 | 405 | 408 | 500 | 502 | 503
  /** What failed. `{name}` is filled in from the values given to `failure`. */
  what: string
  /** What to type, or to do. */
  fix: string
}

export const CATALOGUE = {
  SETTINGS_INVALID: {
    status: 400,
    what: '{problems}',
    fix: 'correct what is listed; `sidemint --help` names every setting',
  },
  PORT_TAKEN: {
    status: 400,
    what: '{address} is in use by another process',
    fix: 'stop that process (`ss -ltnp` shows it), or choose another address with {setting}',
  },
  ADDRESS_UNAVAILABLE: {
    status: 400,
    what: 'cannot listen on {address} ({reason})',
    fix: 'ports below 1024 may need the sysctl net.ipv4.ip_unprivileged_port_start=0; or choose another address with {setting}',
  },
  KEY_FILE_BROKEN: {
    status: 400,
    what: 'the key file {path} is unusable: {reason}',
    fix: 'put an RSA private key of 2048 bits or more there (PEM, PKCS#8), or delete the file to get a new key',
  },
  KEY_FILE_MISSING: {
    status: 400,
    what: 'there is no key file {path}',
    fix: 'name the file that the server signs with, its --key-file: receivers would not know a new key',
  },
  KEY_FILE_UNREADABLE: {
    status: 400,
    what: 'the key file {path} cannot be read or written: {reason}',
    fix: 'create its directory and let this user write there, or choose another --key-file',
  },
  STAND_IN_UNUSABLE: {
    status: 400,
    what: '--stand-in cannot use {path}: {reason}',
    fix: 'name an empty directory that this user may write to',
  },
  STAND_IN_NOT_SERVED: {
    status: 404,
    what: "sidemint's stand-in for Google's key hosts answers here, not Google, and does not serve {what}",
    fix: 'let only receivers have its addresses (extra_hosts or aliases); `sidemint env --receiver --format compose` prints what a receiver needs',
  },
  AUDIENCE_NOT_ALLOWED: {
    status: 400,
    what: 'the audience {audience} is not allowed here',
    fix: 'ask for an audience that --allow-audience lists ({allowed}), or add this one to it',
  },
  AUDIENCE_TOO_LONG: {
    status: 400,
    what: 'the audience has {bytes} bytes, more than {most}',
    fix: 'ask for the URL of the service that receives the token',
  },
  NO_SERVER: {
    status: 503,
    what: 'no metadata server answers at {url} ({reason})',
    fix: 'start one with `sidemint serve`, or name another with --server',
  },
  SERVER_REFUSED: {
    status: 404,
    what: 'the server at {url} answered {status}: {reason}',
    fix: 'read the log of that server; its banner lists its service accounts',
  },
  TOKEN_FILE_UNUSABLE: {
    status: 400,
    what: 'cannot write the token file {path}: {reason}',
    fix: 'name a file with --out in a directory that is there, that this user may write to, and that has room',
  },
  TOKEN_NOT_KEPT: {
    status: 503,
    what: 'got no token for {path}: {reason}',
    fix: 'compare `date -u` with the real time, and read the log of the server that was asked',
  },
  LOCAL_SOURCE_ONLY: {
    status: 400,
    what: '{what} needs the local source, and this server mints with the {source} source',
    fix: "start it with source: 'local'",
  },
  COMMAND_NOT_RUN: {
    status: 400,
    what: 'cannot run {command}: {reason}',
    fix: 'check its spelling and the PATH, or install it',
  },
  COMPOSE_FILE_UNUSABLE: {
    status: 400,
    what: 'the compose file {path} cannot be used: {reason}',
    fix: 'name a compose file, or pipe what Compose makes of it: docker compose config | sidemint doctor --compose -',
  },
  DIRECTORY_UNUSABLE: {
    status: 400,
    what: 'cannot make the directory {path} ({reason})',
    fix: 'let {variable} name a directory that this user can write to',
  },
  DIRECTORY_GONE: {
    status: 400,
    what: 'the working directory {path} is not there any more',
    fix: 'cd into a directory that is there (`cd "$PWD"` where it was made again), then run it once more',
  },
  CONTROL_SECRET_WRONG: {
    status: 401,
    what: 'the control API was asked without its secret, or with another one',
    fix: 'send `Authorization: Bearer SECRET`, the SIDEMINT_CONTROL_SECRET that the server was started with',
  },
  ORDER_UNKNOWN: {
    status: 404,
    what: 'nothing can be ordered by {method} {path}',
    fix: 'send one of {known}',
  },
  ORDER_INVALID: {
    status: 400,
    what: '{name} cannot use what it was given: {reason}',
    fix: 'correct what is listed; the types of {name} name all that it takes',
  },
  CONTROL_BODY_INVALID: {
    status: 400,
    what: 'the body of the order cannot be used: {reason}',
    fix: 'send JSON as /_sidemint/openapi.json describes it',
  },
  CONTROL_BODY_LATE: {
    status: 408,
    what: 'the body of the order did not all arrive within {seconds} s',
    fix: 'send it at once, with the length that its Content-Length says',
  },
  STREAMS_TOO_MANY: {
    status: 503,
    what: '{most} streams of events are open already',
    fix: 'close some of the pages that show this server',
  },
  INJECTED: {
    status: 503,
    what: 'this failure was ordered by failNext ({left} more to come)',
    fix: 'nothing: the test asked for it',
  },
  CREDENTIALS_MISSING: {
    status: 403,
    what: 'no Google credentials at {path} ({why})',
    fix: 'gcloud auth application-default login on the host (not gcloud auth login), and mount the directory; or start with --source local',
  },
  CREDENTIALS_NOT_A_PATH: {
    status: 403,
    what: '{variable} does not hold the path of a file: it holds the credentials themselves, or a line break',
    fix: 'put the content into SIDEMINT_CREDENTIALS instead, or write it into a file and name that',
  },
  CREDENTIALS_NOT_READ: {
    status: 503,
    what: '{path} could not be read just now: {reason}',
    fix: 'wait, since it may pass by itself; for EMFILE raise `ulimit -n`, for EIO look at the mount',
  },
  CREDENTIALS_UNREADABLE: {
    status: 403,
    what: '{path} is there, but {me} may not read it ({reason})',
    fix: 'run as its owner, in compose: user: "{uid}" (do not chmod the file)',
  },
  CREDENTIALS_MALFORMED: {
    status: 403,
    what: '{path} does not hold Google credentials: {reason}',
    fix: 'write it again: gcloud auth application-default login',
  },
  LOGIN_MISPLACED: {
    status: 403,
    what: 'a login went to {path}, the directory that `sidemint env` keeps empty to hide logins from clients',
    fix: 'rm {path}; then {login}',
  },
  CREDENTIALS_UNUSABLE: {
    status: 403,
    what: '{what} cannot ask Google for tokens of service accounts',
    fix: 'gcloud auth application-default login, or a service account key in GOOGLE_APPLICATION_CREDENTIALS',
  },
  UNIVERSE_MISMATCH: {
    status: 403,
    what: 'the credentials belong to the universe {credentials}, and GOOGLE_CLOUD_UNIVERSE_DOMAIN is {variable}',
    fix: 'unset GOOGLE_CLOUD_UNIVERSE_DOMAIN, or use credentials of {variable}',
  },
  UNIVERSE_UNSUPPORTED: {
    status: 403,
    what: '{what} cannot be used in the universe {universe}',
    fix: 'use a service account key or workload identity federation of {universe}; gcloud config get core/universe_domain shows which one gcloud is in',
  },
  CREDENTIALS_CANNOT_MINT: {
    status: 403,
    what: '{what} has no ID tokens of its own',
    fix: '--impersonate-service-account EMAIL, an account on which it has roles/iam.serviceAccountOpenIdTokenCreator',
  },
  USER_TOKEN_AUDIENCE: {
    status: 403,
    what: "a {login} cannot mint an ID token for {audience}: a user's tokens always carry Google's own client id",
    fix: '--impersonate-service-account EMAIL, an account on which you have roles/iam.serviceAccountOpenIdTokenCreator',
  },
  USER_TOKENS_NOT_ALLOWED: {
    status: 403,
    what: "the credentials are a {login}, whose access tokens carry all that user's rights",
    fix: '--impersonate-service-account EMAIL, or --allow-user-tokens to hand them to every caller anyway',
  },
  LOGIN_EXPIRED: {
    status: 403,
    what: 'Google no longer accepts {caller}: {reason}',
    fix: 'gcloud auth application-default login on the host, with an account that still exists; no restart is needed',
  },
  REAUTH_REQUIRED: {
    status: 403,
    what: 'Google wants {caller} to sign in again (invalid_rapt: the session limit of your organisation)',
    fix: 'gcloud auth application-default login on the host; no restart is needed',
  },
  KEY_REFUSED: {
    status: 403,
    what: 'Google refused the key of {caller}: {reason}',
    fix: 'compare `date -u` with the real time; where that is right, the key is gone, so make another: gcloud iam service-accounts keys create FILE --iam-account={caller}',
  },
  SUBJECT_TOKEN_REFUSED: {
    status: 403,
    what: 'Google refused the subject token of {caller}: {reason}',
    fix: 'fetch a new subject token; else compare the pool, the provider and its audience with gcloud iam workload-identity-pools providers describe',
  },
  SUBJECT_TOKEN_MISSING: {
    status: 403,
    what: 'no subject token from {from}: {reason}',
    fix: 'look at credential_source in the credential file: its file, URL or program must give one here, where sidemint runs',
  },
  IMPERSONATION_DENIED: {
    status: 403,
    what: '{caller} may not mint as {target} ({permission})',
    fix: 'gcloud iam service-accounts add-iam-policy-binding {target} --member={member} --role={role} . Granted just now? It takes 2 to 7 minutes; also check the spelling of the account',
  },
  LOGIN_TOO_NARROW: {
    status: 403,
    what: 'the credentials of {caller} lack the scope cloud-platform',
    fix: 'gcloud auth application-default login without --scopes, or with https://www.googleapis.com/auth/cloud-platform among them',
  },
  ACCOUNT_NOT_FOUND: {
    status: 404,
    what: 'there is no service account {target}',
    fix: 'gcloud iam service-accounts list, and correct the name',
  },
  SCOPES_REFUSED: {
    status: 400,
    what: 'Google refused the scopes: {reason}',
    fix: 'ask for scopes that exist, such as https://www.googleapis.com/auth/cloud-platform',
  },
  AUDIENCE_REFUSED: {
    status: 400,
    what: 'Google refused the audience: {reason}',
    fix: "ask for the receiver's URL, such as https://NAME-HASH.a.run.app",
  },
  QUOTA_PROJECT_MISSING: {
    status: 403,
    what: '{caller} has no quota project, and the IAM Service Account Credentials API needs one',
    fix: "set GOOGLE_CLOUD_QUOTA_PROJECT=PROJECT; or, where the login is gcloud's own file: gcloud auth application-default set-quota-project PROJECT",
  },
  API_DISABLED: {
    status: 403,
    what: 'the IAM Service Account Credentials API is off in project {project}',
    fix: 'gcloud services enable iamcredentials.googleapis.com --project={project}',
  },
  QUOTA_PROJECT_DENIED: {
    status: 403,
    what: '{caller} may not use the quota project {project}',
    fix: 'gcloud projects add-iam-policy-binding {project} --member={member} --role=roles/serviceusage.serviceUsageConsumer ; or name another: GOOGLE_CLOUD_QUOTA_PROJECT=PROJECT',
  },
  UPSTREAM_REFUSED: {
    status: 403,
    what: '{host} refused with {status}: {reason}',
    fix: 'sidemint doctor looks at the credentials, and at each step to a token',
  },
  UPSTREAM_TIMEOUT: {
    status: 503,
    what: '{host} did not answer in time ({way})',
    fix: 'look at the network and the VPN of this machine or container; a proxy is named by HTTPS_PROXY',
  },
  SOURCE_TIMEOUT: {
    status: 503,
    what: 'the credential source did not answer in time',
    fix: 'look at credential_source in the credential file: its program or server takes longer than 10 s',
  },
  PROXY_REFUSED: {
    status: 403,
    what: 'the proxy {proxy} did not connect to {host}: {reason}',
    fix: 'let the proxy pass {host}; where it wants a login (status 407): {variable}=http://USER:PASSWORD@HOST:PORT',
  },
  PROXY_UNUSABLE: {
    status: 403,
    what: 'the variable {variable} does not name a usable proxy: {reason}',
    fix: 'set {variable}=http://HOST:PORT (or http://USER:PASSWORD@HOST:PORT), or unset it',
  },
  UPSTREAM_UNAVAILABLE: {
    status: 503,
    what: '{host} answered {status}',
    fix: 'wait: Google has trouble (status.cloud.google.com)',
  },
  RATE_LIMITED: {
    status: 503,
    what: '{host} says there were too many requests',
    fix: 'wait a little; a quota project of your own has its own limits',
  },
  SERVER_STOPPING: {
    status: 503,
    what: 'the server is stopping, and this token was not minted in time',
    fix: 'ask again once it runs again',
  },
  WAITERS_TOO_MANY: {
    status: 503,
    what: '{most} requests are already waiting for a change, and no more are held',
    fix: 'look for a program that keeps asking with wait_for_change=true and never ends its requests',
  },
  MINTS_PENDING: {
    status: 503,
    what: '{count} mints are already running, and no more are started',
    fix: 'look in the log for the caller that asks for so many audiences',
  },
  REDIRECT_REFUSED: {
    status: 403,
    what: '{host} redirects to {to}, and credentials follow no redirect',
    fix: 'a proxy or captive portal between here and {host} wants a login: sign in at {to} in a browser, or have it pass {host}',
  },
  UPSTREAM_GARBAGE: {
    status: 503,
    what: '{host} answered with something that is not a token',
    fix: 'look for a proxy or a captive portal between here and Google',
  },
  NETWORK_DOWN: {
    status: 503,
    what: '{host} cannot be reached ({reason}, {way})',
    fix: 'look at the network and the DNS of this machine or container; offline, start with --source local',
  },
  TLS_UNTRUSTED: {
    status: 403,
    what: 'the certificate of {host} is not trusted ({reason})',
    fix: 'something inspects TLS here: name its CA for this process with NODE_EXTRA_CA_CERTS=/path/ca.pem',
  },
  CLOCK_SKEW: {
    status: 503,
    what: "this machine's clock is {seconds} s {direction} Google's, so receivers will refuse tokens",
    fix: 'set the clock; after sleep restart Docker Desktop, or on WSL: wsl --shutdown',
  },
  SELF_LOOP: {
    status: 403,
    what: 'this server was asked by a sidemint whose metadata source points here',
    fix: 'name the real metadata server: --source metadata=HOST',
  },
  TOKEN_MISSING: {
    status: 403,
    what: 'the request carries no ID token ({found})',
    fix: 'send `Authorization: Bearer TOKEN`; `sidemint token --audience {audience} --format full{server}` prints one',
  },
  TOKENS_SEVERAL: {
    status: 401,
    what: 'the request carries several tokens in {header}',
    fix: 'send one token in one header',
  },
  TOKEN_INVALID: {
    status: 401,
    what: 'the token is not a valid ID token: {reason}',
    fix: 'send an ID token signed with RS256, unchanged, as a metadata server gives it',
  },
  TOKEN_EXPIRED: {
    status: 401,
    what: 'the token is not valid at this time: {reason}',
    fix: 'fetch a fresh token, and compare the clocks of the caller and of the gate',
  },
  ISSUER_NOT_TRUSTED: {
    status: 401,
    what: 'the token comes from {issuer}, which this gate does not trust{difference}',
    fix: 'use a token of {trusted}, or add the issuer to {setting}',
  },
  KEY_UNKNOWN: {
    status: 401,
    what: 'the token names the key {kid}, which {issuer} does not publish',
    fix: 'fetch a fresh token; the issuer has changed its keys, or did not sign this token',
  },
  KEY_UNUSABLE: {
    status: 401,
    what: 'the key {kid} that {issuer} publishes cannot be used: {reason}',
    fix: 'let the issuer publish it as an RSA key with "use":"sig" and "alg":"RS256"',
  },
  KEYS_UNAVAILABLE: {
    status: 503,
    what: 'the keys of {issuer} cannot be fetched: {reason}',
    fix: 'start that issuer or give the gate a way to it (HTTPS_PROXY, NODE_EXTRA_CA_CERTS), or use tokens of another trusted issuer',
  },
  AUDIENCE_WRONG: {
    status: 401,
    what: 'the token is meant for {audience}{difference}',
    fix: 'ask for a token with an audience of this service: {audiences}{hint}',
  },
  NOT_AN_INVOKER: {
    status: 403,
    what: '{principal} may not invoke this service',
    fix: 'where it may call, write `{here}` {where}; in production `{production}`{hint}',
  },
  HOST_UNKNOWN: {
    status: 404,
    what: 'no gate answers for the host {host}',
    fix: 'add it under `gates:`, or call one of {hosts}',
  },
  GATE_UNKNOWN: {
    status: 404,
    what: 'no gate here is for {audience}; the gates here are for: {known}',
    fix: 'name one of them with --audience, or the service itself with --audience and --invoker or --policy',
  },
  METHOD_UNSUPPORTED: {
    status: 405,
    what: 'Cloud Run does not support {what}',
    fix: 'use another method',
  },
  UPSTREAM_FAILED: {
    status: 502,
    what: 'the upstream {upstream} failed: {reason}',
    fix: 'start the service, and compare {setting} with the address that it listens on',
  },
  MEMBER_UNUSABLE: {
    status: 400,
    what: 'the member {member} cannot be used: {reason}',
    fix: 'write user:, serviceAccount:, group:, domain:, allUsers or allAuthenticatedUsers',
  },
  POLICY_UNUSABLE: {
    status: 400,
    what: 'the policy {path} cannot be used: {reason}',
    fix: 'write it with `gcloud run services get-iam-policy SERVICE`',
  },
  INTERNAL: {
    status: 503,
    what: 'sidemint itself failed ({reason})',
    fix: 'please report this with the log; the request may be repeated',
  },
} as const satisfies Record<string, Entry>

export type Code = keyof typeof CATALOGUE

type Placeholders<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Placeholders<Rest> : never
type Values<C extends Code> = Record<Placeholders<(typeof CATALOGUE)[C]['what' | 'fix']>, string>

/** A failure with a stable code. Made by `failure`; answered by the guard, or printed by the command line. */
export class SidemintError extends Error {
  override readonly name = 'SidemintError'
  readonly code: Code
  /** HTTP status of the answer. */
  readonly status: number
  /** What to type. */
  readonly fix: string

  constructor(code: Code, status: number, what: string, fix: string, cause?: unknown) {
    super(what, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
    this.fix = fix
  }

  /** True where the same request may succeed a little later, with nothing changed by hand. */
  get transient(): boolean {
    return this.status === 503
  }
}

/** The failure of that code; the values fill in its sentence and its fix. */
export function failure<C extends Code>(
  code: C,
  values: Values<C>,
  options: { status?: number; cause?: unknown; fix?: string | undefined } = {},
): SidemintError {
  const entry: Entry = CATALOGUE[code]
  const fill = (template: string) =>
    template.replace(/\{(\w+)\}/g, (_, name: string) => (values as Record<string, string>)[name] ?? '')
  return new SidemintError(
    code,
    options.status ?? entry.status,
    fill(entry.what),
    options.fix ?? fill(entry.fix),
    options.cause,
  )
}

/** Anything thrown, as a failure with a code. Of an unexpected error only its code or class is kept: its message may contain a secret. */
export function asFailure(thrown: unknown): SidemintError {
  if (thrown instanceof SidemintError) return thrown
  const { code, name } = (thrown ?? {}) as { code?: unknown; name?: unknown }
  const reason = [code, name].find((word) => typeof word === 'string') ?? 'not an error'
  return failure('INTERNAL', { reason: String(reason) }, { cause: thrown })
}

/** An unexpected error by its code and place in the code, without its message. */
export function describeFault(thrown: unknown): string {
  const stack = thrown instanceof Error ? (thrown.stack?.replace(thrown.message, '') ?? '') : ''
  const places = stack.match(/^ +at .*$/gm) ?? []
  return [asFailure(thrown).message, ...places.map((place) => place.trim())].join(' ')
}

const FIX = '. Fix: '

/** The failure in one sentence, with what to type. */
export function withFix({ message, fix }: { message: string; fix: string }): string {
  return `${message}${FIX}${fix}`
}

/** What `withFix` made one sentence of; undefined for any other text. */
export function splitFix(text: string): { message: string; fix: string } | undefined {
  // The last one is its own: a message may quote another failure together with that one's fix.
  const at = text.lastIndexOf(FIX)
  return at < 0 ? undefined : { message: text.slice(0, at), fix: text.slice(at + FIX.length) }
}

/** The failure as one of several problems, whose list has a fix of its own at its end. */
export function asProblem({ message, fix }: { message: string; fix: string }): string {
  return `${message}; ${fix}`
}

/** Bytes of the longest error body. PHP shows only the first 240, so the sentence comes first (docs/wire.md, "Failures of our own"). */
const BODY_LIMIT = 1000
/** Bytes that the fix may have of those, however long the sentence is. */
const FIX_LIMIT = 500

/**
 * The failure as an OAuth error object, in one line of ASCII: .NET shows no other form, and the other clients print it as
 * it is (docs/wire.md, "Failures of our own"). `<`, `>` and `&` are escaped, since Google's Content-Type for short errors
 * is text/html.
 */
export function errorBody(error: SidemintError): string {
  const head = `{"error":"${error.code}","error_description":"`
  const fix = escapeWithin(withFix({ message: '', fix: error.fix }), FIX_LIMIT)
  const room = BODY_LIMIT - head.length - fix.length - 2
  return `${head}${escapeWithin(error.message, room)}${fix}"}`
}

/** What an `errorBody` said; undefined for any other body. */
export function readErrorBody(body: string): { code: string; message: string; fix: string } | undefined {
  const { error, error_description } = (parseJson(body) ?? {}) as Record<string, unknown>
  if (typeof error !== 'string' || typeof error_description !== 'string') return undefined
  const said = splitFix(error_description)
  return said && { code: error, ...said }
}

function escapeWithin(text: string, room: number): string {
  let escaped = ''
  for (const unit of text.split('')) {
    const next = /[\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x5b\x5d-\x7e]/.test(unit)
      ? unit
      : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
    if (escaped.length + next.length > room) return escaped
    escaped += next
  }
  return escaped
}
