/** One gate: decides, says so, and lets the request through to its service or answers as Cloud Run's front end. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { failure, type SidemintError, withFix } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { type Strip, stripped } from './credential.ts'
import { type Decision, decide, type Rules } from './decision.ts'
import { addressOf, answer, answerSocket, hostOf, pathOf } from './exchange.ts'
import { pageFor } from './pages.ts'
import type { Policy } from './policy.ts'
import { createUpstream } from './upstream.ts'
import type { Verifier } from './verifier.ts'

export interface GateParts {
  upstream: string
  rules: Rules
  policy: Policy
  verifier: Verifier
  strip: Strip
  mode: 'enforce' | 'report'
  events: Events
  /** Epoch ms. */
  now: () => number
}

export interface Gate {
  request(req: IncomingMessage, res: ServerResponse): Promise<void>
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
}

export function createGate({ upstream: url, rules, policy, verifier, strip, mode, events, now }: GateParts): Gate {
  const upstream = createUpstream(url, (reason) => {
    const error = failure('UPSTREAM_FAILED', { upstream: url, reason })
    events.record({ type: 'notice', at: now(), level: 'warn', code: error.code, text: withFix(error) })
  })

  /** Why the request is refused; undefined where it may go on, its headers then ready for the service. */
  async function admit(req: IncomingMessage): Promise<SidemintError | undefined> {
    const started = performance.now()
    const invokers = policy.current()
    const decision: Decision =
      req.method === 'TRACE'
        ? { refusal: failure('METHOD_UNSUPPORTED', { what: 'TRACE' }), audience: '', principal: '' }
        : await decide(req.rawHeaders, rules, invokers, verifier)
    const { refusal, credential, audience, principal } = decision
    events.record({
      type: 'gate',
      at: now(),
      decision: refusal ? (mode === 'report' ? 'report' : 'refuse') : 'allow',
      ...(refusal ? { status: refusal.status } : {}),
      code: refusal?.code ?? (invokers.everyone ? 'PUBLIC' : 'INVOKER'),
      caller: addressOf(req),
      host: hostOf(req),
      audience,
      principal,
      reason: refusal ? withFix(refusal) : '',
      tookMs: Math.round(performance.now() - started),
    })
    if (refusal && mode === 'enforce') return refusal
    forward(req)
    if (credential && !refusal) req.headers[credential.header] = stripped(credential, strip)
    return undefined
  }

  return {
    async request(req, res) {
      const refusal = await admit(req)
      if (res.destroyed) return
      if (refusal) answer(req, res, pageFor(refusal.status, pathOf(req)))
      else upstream.request(req, res)
    },

    async upgrade(req, socket, head) {
      const refusal = await admit(req)
      if (socket.destroyed) return
      if (refusal) answerSocket(socket, pageFor(refusal.status, pathOf(req)))
      else upstream.upgrade(req, socket, head)
    },
  }
}

/**
 * The headers as Cloud Run's front end hands them on. Only Identity-Aware Proxy may say who a user is; an underscore
 * counts as a hyphen, since WSGI and CGI cannot tell them apart.
 */
function forward(req: IncomingMessage): void {
  for (const header of Object.keys(req.headers)) {
    const name = header.replaceAll('_', '-')
    if (name.startsWith('x-goog-authenticated-user-') || name === 'x-goog-iap-jwt-assertion') delete req.headers[header]
  }
  const before = req.headers['x-forwarded-for']
  req.headers['x-forwarded-for'] = before === undefined ? addressOf(req) : `${before},${addressOf(req)}`
  req.headers['x-forwarded-proto'] ??= 'http'
}
