/** The signing key as an X.509 certificate, the form of `/oauth2/v1/certs`. Loaded by the first who asks for it. */

import 'reflect-metadata'
import { createPublicKey } from 'node:crypto'
import { X509CertificateGenerator } from '@peculiar/x509'
import type { SigningKey } from './key.ts'

const DAY_MS = 24 * 3_600_000
const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** A self-signed certificate in PEM, valid for a year from the day before. */
export async function certify({ privateKey }: SigningKey, nowMs: number): Promise<string> {
  const { subtle } = globalThis.crypto
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=sidemint local issuer',
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + 365 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: {
      privateKey: await subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']),
      publicKey: await subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
    },
  })
  return `${certificate.toString('pem')}\n`
}
