/** A leaf for another name, signed by the key of a stand-in's certificate: nobody may accept it. */

import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { readKey } from '../../src/stand-in/certificate.ts'

/** `keyPem` and `certificatePem` are the stand-in's. Returns key and chain of the leaf, in PEM. */
export async function signLeaf(
  name: string,
  keyPem: string,
  certificatePem: string,
): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const { subtle } = globalThis.crypto
  const pkcs8 = readKey(keyPem)?.export({ type: 'pkcs8', format: 'der' }) ?? Buffer.alloc(0)
  const signingKey = await subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, false, ['sign'])
  const leafKeys = await subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const leaf = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: new x509.X509Certificate(certificatePem).subjectName,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    publicKey: leafKeys.publicKey,
    signingKey,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
  })
  const leafKey = Buffer.from(await subtle.exportKey('pkcs8', leafKeys.privateKey)).toString('base64')
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${leafKey}\n-----END PRIVATE KEY-----\n`,
    cert: `${leaf.toString('pem')}\n${certificatePem}`,
  }
}
