/** An OIDC issuer for tests: its discovery document and keys over real HTTP, and tokens with any claims. */

import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import jsonwebtoken from 'jsonwebtoken'
import { rsaPem } from '../google/keys.ts'

interface Key {
  kid: string
  privateKey: KeyObject
  /** Replaces fields of its published form. */
  changes?: object
}

export interface Issuer {
  url: string
  /** What was asked for, in order. */
  asked: string[]
  /** How the next requests are answered, until set back to undefined. */
  fault: { status: number; body: string } | undefined
  cacheControl: string | undefined
  /** What the discovery document says that the issuer is. */
  named: string
  /** The keys that are published; the first one signs. */
  keys: Key[]
  /** Published before the keys, as it is. */
  alsoPublished: unknown[]
  /** Where a path is redirected to; undefined where it is not. */
  redirect: (path: string) => string | undefined
  /** Settles once more has been asked than so many times. */
  nextAsked(times: number): Promise<void>
  /** An ID token of this issuer, which ends within an hour; `undefined` leaves a claim out. */
  sign(claims: Record<string, unknown>, options?: { key?: Key; header?: Record<string, unknown> }): string
  close(): void
}

let keys = 0

/** Tokens by their key, header and claims: a signature takes longer than most of what a test asks of a gate. */
const signed = new WeakMap<KeyObject, Map<string, string>>()

/** Another one each time. */
export async function newKey(bits?: number): Promise<Key> {
  return { kid: randomUUID(), privateKey: createPrivateKey(await rsaPem(keys++, bits)) }
}

export async function startIssuer({ now = Date.now }: { now?: () => number } = {}): Promise<Issuer> {
  const asked = new EventEmitter()
  const answer: RequestListener = (req, res) => {
    issuer.asked.push(req.url ?? '')
    asked.emit('asked')
    const location = issuer.redirect(req.url ?? '')
    if (location !== undefined) return void res.writeHead(307, { Location: location }).end()
    if (issuer.fault) return void res.writeHead(issuer.fault.status).end(issuer.fault.body)
    if (issuer.cacheControl !== undefined) res.setHeader('Cache-Control', issuer.cacheControl)
    if (req.url === '/.well-known/openid-configuration') {
      return void res.end(JSON.stringify({ issuer: issuer.named, jwks_uri: `${issuer.url}/oauth2/v3/certs` }))
    }
    if (req.url !== '/oauth2/v3/certs' && req.url !== '/moved') return void res.writeHead(404).end()
    const keys = issuer.keys.map(({ kid, privateKey, changes }) => ({
      ...createPublicKey(privateKey).export({ format: 'jwk' }),
      kid,
      use: 'sig',
      alg: 'RS256',
      ...changes,
    }))
    res.end(JSON.stringify({ keys: [...issuer.alsoPublished, ...keys] }))
  }
  const server = http.createServer(answer)
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const issuer: Issuer = {
    url,
    asked: [],
    fault: undefined,
    cacheControl: undefined,
    named: url,
    keys: [await newKey()],
    alsoPublished: [],
    redirect: () => undefined,
    async nextAsked(times) {
      while (issuer.asked.length <= times) await once(asked, 'asked')
    },
    sign(claims, { key = issuer.keys[0] as Key, header = {} } = {}) {
      const iat = Math.floor(now() / 10_000) * 10
      const payload = JSON.stringify({ iss: issuer.named, sub: subjectOf(claims), iat, exp: iat + 3600, ...claims })
      const all = { alg: 'RS256' as const, kid: key.kid, typ: 'JWT', ...header }
      const options = { algorithm: 'RS256', allowInsecureKeySizes: true, header: all } as const
      const known = signed.get(key.privateKey) ?? new Map<string, string>()
      signed.set(key.privateKey, known)
      const text = JSON.stringify([all, payload])
      const token = known.get(text) ?? jsonwebtoken.sign(payload, key.privateKey, options)
      known.set(text, token)
      return token
    },
    close: () => void server.close(),
  }
  return issuer
}

/** 21 digits, as Google's. */
function subjectOf({ email }: Record<string, unknown>): string {
  const digest = createHash('sha256').update(String(email)).digest('hex')
  return `1${(BigInt(`0x${digest}`) % 10n ** 20n).toString().padStart(20, '0')}`
}
