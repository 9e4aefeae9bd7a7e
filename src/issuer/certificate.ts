/** A published key as an X.509 certificate, the form of `/oauth2/v1/certs`. Loaded at the first request for it. */

import 'reflect-metadata'
import { X509CertificateGenerator } from '@peculiar/x509'
import type { PublicKey, SigningKey } from './key.ts'

const NAME = 'CN=sidemint local issuer'
const DAY_MS = 24 * 3_600_000
const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/**
 * A certificate in PEM, valid for a year from the day before. The key that signs now signs every certificate, its own
 * too: of those before it only the public half is left.
 */
export async function certify({ publicKey }: PublicKey, { privateKey }: SigningKey, nowMs: number): Promise<string> {
  const { subtle } = globalThis.crypto
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const certificate = await X509CertificateGenerator.create({
    subject: NAME,
    issuer: NAME,
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + 365 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    signingKey: await subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']),
    publicKey: await subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
  })
  return `${certificate.toString('pem')}\n`
}
