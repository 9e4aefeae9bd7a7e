/**
 * Java's trust store, which is PKCS12 without encryption and without MAC: it holds only what may be seen, and nobody
 * need name a password (measured with Java 17 and 25). Java takes a certificate as trusted only with its own attribute.
 */

import { X509Certificate } from 'node:crypto'
import * as asn1 from 'asn1js'

type Value = asn1.BaseBlock

/** RFC 2315 §14 */
const DATA = '1.2.840.113549.1.7.1'
/** RFC 7292 §4.2.3, RFC 2985 §5.5.1 */
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'
const FRIENDLY_NAME = '1.2.840.113549.1.9.20'
/** sun.security.pkcs12.PKCS12KeyStore: the purposes for which a certificate is trusted; anyExtendedKeyUsage is all. */
const TRUSTED_KEY_USAGE = '2.16.840.1.113894.746875.1.1'
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0'
/** RFC 7292 §4: of PFX. */
const VERSION = 3

/** The certificates, in PEM, as a trust store: the same bytes for the same certificates. */
export function createTrustStore(certificates: readonly string[]): Buffer {
  const bags = certificates.map((pem, index) => bagOf(new X509Certificate(pem), String(index)))
  const safe = sequence(data(sequence(...bags)))
  return Buffer.from(sequence(new asn1.Integer({ value: VERSION }), data(safe)).toBER())
}

/**
 * Whether a file is such a store of these certificates, and whole: by its length and what it holds. To make it again and
 * compare took as long as the rest of a start (0.3 s for the 578 certificates of a system).
 */
export function isTrustStore(file: Buffer, certificates: readonly string[]): boolean {
  let end = 0
  const holdsAll = certificates.every((pem) => {
    const raw = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
    const start = file.indexOf(raw, end)
    end = start + raw.length
    return start !== -1
  })
  return holdsAll && file.length === lengthOf(file)
}

/** In the long form of X.690 §8.1.3.5: the second byte says in how many bytes the length follows. */
function lengthOf(file: Buffer): number {
  const bytes = file.readUInt8(1) & 0x7f
  return 2 + bytes + file.readUIntBE(2, bytes)
}

function bagOf({ raw }: X509Certificate, alias: string): Value {
  const certificate = sequence(oid(X509_CERTIFICATE), explicit(octets(Uint8Array.from(raw).buffer)))
  return sequence(
    oid(CERT_BAG),
    explicit(certificate),
    set(
      sequence(oid(FRIENDLY_NAME), set(new asn1.BmpString({ value: alias }))),
      sequence(oid(TRUSTED_KEY_USAGE), set(oid(ANY_EXTENDED_KEY_USAGE))),
    ),
  )
}

/** ContentInfo of RFC 7292 §4.1 */
function data(content: Value): Value {
  return sequence(oid(DATA), explicit(octets(content.toBER())))
}

const sequence = (...value: Value[]) => new asn1.Sequence({ value })
const set = (...value: Value[]) => new asn1.Set({ value })
const oid = (value: string) => new asn1.ObjectIdentifier({ value })
const octets = (valueHex: ArrayBuffer) => new asn1.OctetString({ valueHex })
const explicit = (value: Value) => new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [value] })
