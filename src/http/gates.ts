/** Many gates in one process, each for one service, chosen by the Host that the caller asked for. */

import { createServer, type IncomingMessage, type Server } from 'node:http'
import { failure } from '../errors.ts'
import type { Events } from '../events.ts'
import type { Strip } from '../gate/credential.ts'
import { pageFor } from '../gate/pages.ts'
import { createPolicy } from '../gate/policy.ts'
import { createVerifier, type Verifier } from '../verifier.ts'
import { createGate, type Gate } from './gate.ts'
import { addressOf, answer, answerSocket, hostOf, pathOf } from './gate-exchange.ts'

export interface GateOptions {
  /** The name that callers use, without port. Default: whatever they ask for. */
  host?: string
  /** The listener for it. Default: the one that all gates without a port share. */
  port?: number
  /** Base URL of the service. */
  upstream: string
  audiences: readonly string[]
  /** Members in IAM's words. */
  invokers?: readonly string[]
  /** Path of a policy file, beside the invokers. */
  policy?: string
  /** Members by group email. */
  groups?: Record<string, readonly string[]>
  /** Email by subject. */
  subjects?: Record<string, string>
  /** Where the signature is taken off the token. Default `both`. */
  strip?: Strip
  /** `report` refuses nothing and logs what it would have refused. Default `enforce`. */
  mode?: 'enforce' | 'report'
  /** `google` or issuer URLs. Default `google` and `http://metadata.google.internal`. */
  trust?: readonly string[]
  /** Whether tokens with gcloud's own audiences are taken. Default true. */
  gcloudAudiences?: boolean
}

export interface GatesOptions {
  events: Events
  /** Epoch ms. Default: the clock. */
  now?: () => number
}

export interface Gates {
  /** The ports that gates name, each to be listened on with `server(port)`. */
  ports: number[]
  /** A server, not listening yet, before the gates of that port; without one before those that name none. */
  server(port?: number): Server
}

const DEFAULT_TRUST = ['google', 'http://metadata.google.internal']

/** Idle connections of callers are kept as long as Google's front end keeps them; many clients reuse them blindly. */
const KEEP_ALIVE_MS = 620_000

/** Throws POLICY_UNUSABLE, MEMBER_UNUSABLE, or SETTINGS_INVALID where two gates share a host and port. */
export function createGates(list: readonly GateOptions[], { events, now = Date.now }: GatesOptions): Gates {
  const verifiers = new Map<string, Verifier>()
  const byPort = new Map<number | undefined, Map<string, Gate>>()

  /** One for all gates that trust the same issuers, so that their keys are fetched once. */
  function verifierFor(trust: readonly string[]): Verifier {
    const key = trust.join(' ')
    const verifier = verifiers.get(key) ?? createVerifier({ trust, now })
    verifiers.set(key, verifier)
    return verifier
  }

  for (const options of list) {
    const { host = '*', port, invokers = [], policy, groups = {}, subjects = {}, trust = DEFAULT_TRUST } = options
    const gates = byPort.get(port) ?? new Map<string, Gate>()
    byPort.set(port, gates)
    const name = host.toLowerCase()
    if (gates.has(name)) throw failure('SETTINGS_INVALID', { problems: `two gates have the host ${host} on one port` })
    gates.set(
      name,
      createGate({
        upstream: options.upstream,
        rules: { audiences: options.audiences, gcloudAudiences: options.gcloudAudiences ?? true, subjects },
        policy: createPolicy({
          invokers,
          ...(policy === undefined ? {} : { file: policy }),
          groups,
          now,
          notice: (level, code, text) => events.record({ type: 'notice', at: now(), level, code, text }),
        }),
        verifier: verifierFor(trust),
        strip: options.strip ?? 'both',
        mode: options.mode ?? 'enforce',
        events,
        now,
      }),
    )
  }

  function unknownHost(req: IncomingMessage, gates: Map<string, Gate>) {
    const hosts = [...gates.keys()].join(', ') || 'none'
    const { code, status, message, fix } = failure('HOST_UNKNOWN', { host: JSON.stringify(hostOf(req)), hosts })
    events.record({
      type: 'gate',
      at: now(),
      decision: 'refuse',
      status,
      code,
      caller: addressOf(req),
      host: hostOf(req),
      audience: '',
      principal: '',
      reason: `${message}. Fix: ${fix}`,
      tookMs: 0,
    })
    return pageFor(status, pathOf(req))
  }

  return {
    ports: [...byPort.keys()].filter((port) => port !== undefined),
    server(port) {
      const gates = byPort.get(port) ?? new Map<string, Gate>()
      const gateOf = (req: IncomingMessage) => gates.get(hostOf(req)) ?? gates.get('*')
      const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, shouldUpgradeCallback: isWebSocket })
      server.on('request', (req, res) => {
        const gate = gateOf(req)
        if (gate) return void gate.request(withoutUpgrade(req), res)
        answer(req, res, unknownHost(req, gates))
      })
      server.on('upgrade', (req, socket, head) => {
        // From here the socket is nobody's: a client that goes away while it waits must not end the process.
        socket.on('error', () => socket.destroy())
        const gate = gateOf(req)
        if (gate) return void gate.upgrade(req, socket, head)
        answerSocket(socket, unknownHost(req, gates))
      })
      return server
    },
  }
}

function isWebSocket(req: IncomingMessage): boolean {
  return req.headers.upgrade?.toLowerCase() === 'websocket'
}

/**
 * An offer of HTTP/2 (Java's HttpClient makes one with its first request) is not taken up, which HTTP allows, and
 * must not reach the service, which might.
 */
function withoutUpgrade(req: IncomingMessage): IncomingMessage {
  if (req.headers.upgrade !== undefined) {
    delete req.headers.upgrade
    delete req.headers['http2-settings']
    req.headers.connection = 'keep-alive'
  }
  return req
}
