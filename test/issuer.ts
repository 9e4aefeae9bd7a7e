/** An OIDC issuer for tests: its discovery document and keys over real HTTP, or over TLS behind a proxy as Google's. */

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import https from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import jsonwebtoken from 'jsonwebtoken'

interface Key {
  kid: string
  privateKey: KeyObject
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
  /** An ID token of this issuer, an hour long; `undefined` leaves a claim out. */
  sign(claims: Record<string, unknown>, options?: { key?: Key; header?: Record<string, unknown> }): string
  close(): void
}

export function newKey(): Key {
  return { kid: randomUUID(), privateKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }
}

export async function startIssuer(options: { tls?: https.ServerOptions; iss?: string; now?: () => number } = {}) {
  const now = options.now ?? Date.now
  const answer: RequestListener = (req, res) => {
    issuer.asked.push(req.url ?? '')
    if (issuer.fault) return void res.writeHead(issuer.fault.status).end(issuer.fault.body)
    if (issuer.cacheControl !== undefined) res.setHeader('Cache-Control', issuer.cacheControl)
    if (req.url === '/.well-known/openid-configuration') {
      return void res.end(JSON.stringify({ issuer: issuer.named, jwks_uri: `${issuer.url}/oauth2/v3/certs` }))
    }
    if (req.url !== '/oauth2/v3/certs') return void res.writeHead(404).end()
    const keys = issuer.keys.map(({ kid, privateKey }) => ({
      ...createPublicKey(privateKey).export({ format: 'jwk' }),
      kid,
      use: 'sig',
      alg: 'RS256',
    }))
    res.end(JSON.stringify({ keys }))
  }
  const server = options.tls ? https.createServer(options.tls, answer) : http.createServer(answer)
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = options.tls ? `https://127.0.0.1:${port}` : `http://127.0.0.1:${port}`
  const issuer: Issuer = {
    url,
    asked: [],
    fault: undefined,
    cacheControl: undefined,
    named: options.iss ?? url,
    keys: [newKey()],
    sign(claims, { key = issuer.keys[0] as Key, header = {} } = {}) {
      const iat = Math.floor(now() / 1000)
      const payload = { iss: issuer.named, sub: subjectOf(claims), iat, exp: iat + 3600, ...claims }
      return jsonwebtoken.sign(JSON.stringify(payload), key.privateKey, {
        algorithm: 'RS256',
        header: { alg: 'RS256', kid: key.kid, typ: 'JWT', ...header },
      })
    },
    close: () => void server.close(),
  }
  return { issuer, port }
}

/**
 * Google's keys where the real ones are: the real URL, over TLS with a certificate for that name, by a proxy that
 * knows the way. `ca` is to be trusted, `proxyUrl` to be the process's HTTPS_PROXY.
 */
export async function startGoogle() {
  const { ca, cert, key } = await certificateFor('www.googleapis.com')
  const { issuer, port } = await startIssuer({ tls: { cert, key }, iss: 'https://accounts.google.com' })
  const proxied: string[] = []
  const proxy = http.createServer((_, res) => void res.writeHead(405).end())
  proxy.on('connect', (req, client) => {
    proxied.push(req.url ?? '')
    const tunnel = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      tunnel.pipe(client).pipe(tunnel)
    })
    tunnel.on('error', () => client.destroy())
    client.on('error', () => tunnel.destroy())
  })
  proxy.listen(0, '127.0.0.1').unref()
  await once(proxy, 'listening')
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  return { google: issuer, proxied, proxyUrl, ca }
}

async function certificateFor(name: string) {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
    ],
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const pem = certificate.toString('pem')
  return { ca: pem, cert: pem, key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` }
}

/** 21 digits, as Google's. */
function subjectOf({ email }: Record<string, unknown>): string {
  const digest = createHash('sha256').update(String(email)).digest('hex')
  return `1${(BigInt(`0x${digest}`) % 10n ** 20n).toString().padStart(20, '0')}`
}
