/** Google's key hosts over TLS, for receivers that verify with Google's own libraries. */

import { createServer, type Server } from 'node:https'
import { dirname } from 'node:path'
import type { TLSSocket } from 'node:tls'
import type { Settings } from '../config/settings.ts'
import { asFailure, describeFault, failure, SidemintError, withFix } from '../core/errors.ts'
import { createNotice, type Events, type Notice } from '../core/events.ts'
import { GOOGLE_ISSUER, KEY_HOSTS } from '../core/google.ts'
import { peerAddress } from '../core/host.ts'
import { createOnce } from '../core/once.ts'
import { type Asked, createHostsApp, type JsonAnswer } from '../http/hosts.ts'
import { type Listener, listen } from '../http/listener.ts'
import { Dropped } from '../http/wire.ts'
import type { Identity } from '../identity/identity.ts'
import type { SigningKeys } from '../issuer/keys.ts'
import type { CachedSource } from '../mint/cache.ts'
import { createAccountKeys } from './account-keys.ts'
import { createAccounts } from './accounts.ts'
import { type Credentials, prepareDirectory } from './directory.ts'
import { apiError, GoogleError } from './google-error.ts'
import { createRoutes } from './routes.ts'

export interface StandInOptions extends Pick<Settings, 'host' | 'standInPort' | 'keyFile'> {
  /** What receivers mount. */
  directory: string
  keys: SigningKeys
  /** Who may sign as whom; asked at each request. */
  identities: () => readonly Identity[]
  tokens: Pick<CachedSource, 'mint'>
  events: Events
  /** Epoch ms. */
  now: () => number
}

/** Throws STAND_IN_UNUSABLE, PORT_TAKEN and ADDRESS_UNAVAILABLE. */
export async function listenAsGoogle(options: StandInOptions): Promise<Listener> {
  const { directory, host, standInPort: port, keys, identities, tokens, now } = options
  const notice = createNoticeOnce(options)
  const warn = (text: string) => notice('warn', 'STAND_IN_MODE', text)
  const accounts = createAccounts(identities)
  const hosts = createRoutes({
    keys,
    accounts,
    accountKeys: createAccountKeys({
      folder: options.keyFile === undefined ? undefined : dirname(options.keyFile),
      warn: (text) => notice('warn', 'KEY_FILE_MODE', text),
      now,
    }),
    tokens,
    issuer: GOOGLE_ISSUER,
    now,
  })
  let server: Server | undefined
  const listener = await listen({
    host,
    port,
    setting: '--stand-in-port',
    handler: createHostsApp({ hosts, refuse: (asked, thrown) => refuse(asked, thrown, notice) }),
    create(limits, handler) {
      server = createSecureServer(limits, handler, notice)
      return server
    },
    headers: [],
  })
  // Where the port is taken nothing is written.
  const credentials = await prepareDirectory({ directory, keyFile: options.keyFile, now, warn }).catch(
    (error: unknown) => listener.close(0).then(() => Promise.reject(error)),
  )
  if (server !== undefined) admit(server, credentials)
  notice(
    'info',
    'STAND_IN',
    `answers as ${KEY_HOSTS.join(', ')} on port ${listener.port}; receivers mount ${directory}`,
  )
  if (credentials.isNew) {
    const text = 'the certificate of the stand-in is new: restart the receivers that were started before'
    notice('info', 'STAND_IN_CERTIFICATE', text)
  }
  return listener
}

const HANDSHAKE_FIXES: readonly [codes: RegExp, fix: string][] = [
  // Alerts of clients, by RFC 8446 §6.2: bad_certificate, certificate_unknown, certificate_expired, unknown_ca and others.
  [/ALERT_\w*(CERTIFICATE|UNKNOWN_CA)/, 'let it trust the certificate; sidemint env --receiver says how'],
  [/UNSUPPORTED_PROTOCOL/, 'let it speak TLS 1.2 or later'],
  [/HTTP_REQUEST/, 'let it call https, not http'],
]

type Create = typeof createServer
type Limits = Parameters<Create>[0]

/** NODE_OPTIONS can lower Node's own least version. */
const SECURE = { minVersion: 'TLSv1.2' } as const

/** It has no certificate yet, and until it has one it ends each connection: a failed handshake is not tried again. */
function createSecureServer(limits: Limits, handler: Parameters<Create>[1], notice: Notice): Server {
  const server = createServer({ ...limits, ...SECURE }, handler)
  server.maxConnections = 0
  // Node forgets the address of a socket that is closed, as it is after an alert, unless somebody has asked for it before.
  server.on('keylog', (_, socket) => void socket.remoteAddress)
  server.on('tlsClientError', ({ code = 'unknown reason' }: NodeJS.ErrnoException, socket: TLSSocket) => {
    const what = `the handshake with ${peerAddress(socket.remoteAddress) || 'somebody'} failed (${code})`
    const fix = HANDSHAKE_FIXES.find(([codes]) => codes.test(code))?.[1]
    notice('warn', 'STAND_IN_HANDSHAKE', fix === undefined ? what : `${what}. Fix: ${fix}`)
  })
  return server
}

function admit(server: Server, { key, certificate }: Credentials): void {
  server.setSecureContext({ ...SECURE, key, cert: certificate })
  server.maxConnections = Number.POSITIVE_INFINITY
}

/** Logs each thing once: a client that keeps trying must not fill the log. */
function createNoticeOnce({ events, now }: Pick<StandInOptions, 'events' | 'now'>): Notice {
  const notice = createNotice(events, now)
  const isFirst = createOnce()
  return (level, code, text) => {
    if (isFirst(text)) notice(level, code, text)
  }
}

const LONGEST_PATH = 200

/** Google's own answer to a failure, or one that says who answers here. */
function refuse({ host, method, path }: Asked, thrown: unknown, notice: Notice): JsonAnswer {
  if (thrown instanceof GoogleError) return thrown.answer
  if (thrown !== undefined) {
    if (!(thrown instanceof SidemintError || thrown instanceof Dropped))
      notice('error', 'INTERNAL', describeFault(thrown))
    const error = asFailure(thrown)
    return apiError(error.status, `${error.code}: ${withFix(error)}`).answer
  }
  const what = `${method} https://${host}${path.slice(0, LONGEST_PATH)}`
  const error = failure('STAND_IN_NOT_SERVED', { what })
  notice('warn', error.code, withFix(error))
  return apiError(404, withFix(error)).answer
}
