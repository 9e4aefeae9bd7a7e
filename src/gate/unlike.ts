/** Reports once for each path what passes here and would not on Cloud Run (docs/gate.md, "What passes here and not there"). */

import type { IncomingMessage } from 'node:http'
import type { SidemintError } from '../core/errors.ts'
import { createOnce } from '../core/once.ts'
import { type Exchange, pathOf, shownPath } from './exchange.ts'

/** The largest request over HTTP/1 on Cloud Run. */
const BODY_LIMIT_MIB = 32
/** Cloud Run's default; an hour at most. */
const TIMEOUT_MINUTES = 5

/** Looks at a request after the decision, and again when it has ended. */
export type Watch = (exchange: Exchange, refusal: SidemintError | undefined) => void

/** `now`: epoch ms. `notice` gets a sentence with a fix. */
export function watchDifferences(now: () => number, notice: (text: string) => void): Watch {
  const isFirst = createOnce()

  function tell(req: IncomingMessage, text: string): void {
    const path = shownPath(req)
    if (isFirst(`${text} ${path}`)) notice(`${req.method} ${path}: ${text}`)
  }

  return ({ req, to, head }, refusal) => {
    if (isPreflight(req) && refusal?.code === 'TOKEN_MISSING') {
      tell(req, 'browsers send no token with a preflight, so Cloud Run refuses it too. Fix: admit allUsers')
    }
    if (refusal) return
    if (pathOf(req) === '/healthz') {
      tell(req, "Google's front end answers /healthz itself at run.app. Fix: choose another path, such as /health")
    }
    const startedAtMs = now()
    const { bytesRead } = req.socket
    to.on('close', () => {
      const size = Number(req.headers['content-length'] ?? req.socket.bytesRead - bytesRead)
      if (head === undefined && size > BODY_LIMIT_MIB * 1024 * 1024) {
        tell(req, `Cloud Run takes at most ${BODY_LIMIT_MIB} MiB in an HTTP/1 request. Fix: upload to Cloud Storage`)
      }
      if (now() - startedAtMs > TIMEOUT_MINUTES * 60_000) {
        tell(
          req,
          `it took longer than ${TIMEOUT_MINUTES} minutes, where Cloud Run breaks off by default. Fix: --timeout of gcloud run deploy`,
        )
      }
    })
  }
}

/** By fetch.spec.whatwg.org, CORS-preflight fetch. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && 'access-control-request-method' in headers
}

/** What a caller speaks instead of HTTP/1.1; undefined where the bytes are just broken. */
export function whatCame(bytes: Buffer): string | undefined {
  if (bytes[0] === 0x16 && bytes[1] === 0x03) {
    return 'a caller speaks TLS, which Cloud Run takes off before the service. Fix: call http:// here'
  }
  return bytes.toString('latin1', 0, 14) === 'PRI * HTTP/2.0'
    ? 'a caller speaks HTTP/2 without TLS (h2c, gRPC), which this gate does not. Fix: call by HTTP/1.1'
    : undefined
}
