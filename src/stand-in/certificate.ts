/**
 * The only certificate of the stand-in. It is its own trust anchor and vouches for nothing else: Node.js 20 and 24, Python
 * 3.11 and 3.13, Go 1.26, Java 17 and 25 and curl accept it as an anchor, and refuse it for other names and a leaf that its
 * key signs (measured). Java 17 ignores an anchor's name constraints, so there a CA would vouch for any host.
 */

import 'reflect-metadata'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { KEY_HOSTS } from '../core/google.ts'

const SUBJECT = 'sidemint stand-in, not Google'

const DAY_MS = 24 * 3_600_000
/** With the day before its making 397 days: the longest that clients let a leaf live (CA/Browser Forum, Baseline Requirements 6.3.2). */
const LIFE_MS = 396 * DAY_MS
/** A server may run that long, since a certificate is renewed at a start alone. */
const LAST_MS = 30 * DAY_MS

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export function generateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** The key in a PEM text; undefined where it cannot sign the certificate. */
export function readKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}

/** In PEM, valid from the day before. */
export async function certify(key: KeyObject, nowMs: number): Promise<string> {
  const { subtle } = globalThis.crypto
  const publicKey = await subtle.importKey(
    'spki',
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    ALGORITHM,
    true,
    ['verify'],
  )
  const privateKey = await subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), ALGORITHM, false, [
    'sign',
  ])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [SUBJECT] }],
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + LIFE_MS),
    signingAlgorithm: ALGORITHM,
    keys: { privateKey, publicKey },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(KEY_HOSTS.map((value) => ({ type: 'dns', value }))),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(publicKey),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

/** Parses a certificate; undefined where the text is not one. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** Whether a certificate is one of ours, of whatever key and age. */
export function isOurs(certificate: X509Certificate): boolean {
  return certificate.toLegacyObject().subject.CN === SUBJECT
}

/** Whether it may be shown: ours, by this key, for exactly these hosts, and with more than its last 30 days to go. */
export function isCurrent(certificate: X509Certificate, key: KeyObject, nowMs: number): boolean {
  return (
    isOurs(certificate) &&
    !certificate.ca &&
    certificate.checkPrivateKey(key) &&
    certificate.subjectAltName === KEY_HOSTS.map((host) => `DNS:${host}`).join(', ') &&
    certificate.validFromDate.getTime() <= nowMs &&
    certificate.validToDate.getTime() - nowMs > LAST_MS
  )
}
