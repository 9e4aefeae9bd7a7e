import 'reflect-metadata'
import { type KeyObject, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000
/** They are kept from run to run. */
const AUTHORITY_DAYS = 3_650
/** As long as Google publishes a key. */
const KEY_DAYS = 16

export interface Authority {
  /** The certificate that clients must trust. */
  caPem: string
  /** Key and certificate of the server, for all host names. */
  keyPem: string
  certificatePem: string
}

/** A certificate authority whose key is thrown away, and the one server certificate, for these names, that it signed. */
export async function createAuthority(hosts: readonly string[]): Promise<Authority> {
  const caKeys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const issuer = 'CN=Fake Google CA'
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: issuer,
    keys: caKeys,
    signingAlgorithm: EC,
    ...validity(Date.now(), AUTHORITY_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  const leaf = await x509.X509CertificateGenerator.create({
    issuer,
    subject: 'CN=*.googleapis.com',
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: EC,
    ...validity(Date.now(), AUTHORITY_DAYS),
    extensions: [
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value }))),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    caPem: ca.toString('pem'),
    keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    certificatePem: leaf.toString('pem'),
  }
}

/** A self-signed certificate around an RSA key: the form in which Google publishes the keys of its ID tokens. */
export async function certify(key: { privateKey: KeyObject; publicKey: KeyObject }, now: number): Promise<string> {
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=federated-signon.system.gserviceaccount.com',
    keys: {
      privateKey: key.privateKey.toCryptoKey(rsa, true, ['sign']),
      publicKey: key.publicKey.toCryptoKey(rsa, true, ['verify']),
    },
    signingAlgorithm: rsa,
    ...validity(now, KEY_DAYS),
  })
  return `${certificate.toString('pem')}\n`
}

function validity(now: number, days: number) {
  return { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + days * DAY_MS) }
}
