/**
 * Java's trust store, which is PKCS12 without encryption and without MAC: it holds only what may be seen, and nobody
 * need name a password (measured with Java 17 and 25). Java takes a certificate as trusted only with its own attribute.
 */

import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import asn1cms from '@peculiar/asn1-cms'
import asn1pfx from '@peculiar/asn1-pfx'
import asn1schema from '@peculiar/asn1-schema'

const { ContentInfo, id_data: DATA } = asn1cms
const { AuthenticatedSafe, CertBag, PFX, PKCS12Attribute, SafeBag, SafeContents } = asn1pfx
const { AsnBmpStringConverter, AsnConvert, AsnObjectIdentifierConverter, OctetString } = asn1schema

/** RFC 7292 §4.2.3, RFC 2985 §5.5.1 */
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'
const FRIENDLY_NAME = '1.2.840.113549.1.9.20'
/** sun.security.pkcs12.PKCS12KeyStore: the purposes for which a certificate is trusted; anyExtendedKeyUsage is all. */
const TRUSTED_KEY_USAGE = '2.16.840.1.113894.746875.1.1'
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0'

/** The certificates, in PEM, as a trust store: the same bytes for the same certificates. */
export function createTrustStore(certificates: readonly string[]): Buffer {
  const bags = certificates.map((pem, index) => bagOf(new X509Certificate(pem), String(index)))
  const safe = new AuthenticatedSafe([data(new SafeContents(bags))])
  return Buffer.from(AsnConvert.serialize(Object.assign(new PFX(), { authSafe: data(safe), macData: undefined })))
}

/** The library's constructors lay their defaults over what they are given, so fields are assigned after them. */
function bagOf({ raw }: X509Certificate, alias: string) {
  const certificate = Object.assign(new CertBag(), { certId: X509_CERTIFICATE, certValue: octets(raw) })
  const attribute = (attrId: string, value: ArrayBuffer) =>
    Object.assign(new PKCS12Attribute(), { attrId, attrValues: [value] })
  return Object.assign(new SafeBag(), {
    bagId: CERT_BAG,
    bagValue: AsnConvert.serialize(certificate),
    bagAttributes: [
      attribute(FRIENDLY_NAME, AsnBmpStringConverter.toASN(alias).toBER(false)),
      attribute(TRUSTED_KEY_USAGE, AsnObjectIdentifierConverter.toASN(ANY_EXTENDED_KEY_USAGE).toBER(false)),
    ],
  })
}

function data(content: object) {
  return Object.assign(new ContentInfo(), { contentType: DATA, content: octets(AsnConvert.serialize(content)) })
}

function octets(bytes: ArrayBuffer | Uint8Array): ArrayBuffer {
  return AsnConvert.serialize(new OctetString(bytes))
}
