import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { kept, keptPath } from './kept.ts'

export interface RsaKey {
  privateKey: KeyObject
  publicKey: KeyObject
  /** 40 hex digits, as Google's key ids are. */
  kid: string
}

const BITS = 2_048
const fileName = (index: number, bits: number) => `own-rsa-${bits}-${index}.pem`

/** With the exponent that is Node's default, named since test/kept-keys.ts would give one of its few for less: two files might hold the same key. */
const optionsFor = (bits: number) => ({ modulusLength: bits, publicExponent: 0x10001 })

/** The nth RSA key of all tests, in PEM. A pair takes 30 to 90 ms of a core to make, so each is made once. */
export function rsaPem(index = 0, bits = BITS): Promise<string> {
  return kept(fileName(index, bits), async () => {
    const { privateKey } = await promisify(generateKeyPair)('rsa', optionsFor(bits))
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  })
}

/** The same as a file: given to a server as its `keyFile`, it spares making a key. */
export function rsaKeyFile(index = 0): string {
  const path = keptPath(fileName(index, BITS))
  if (existsSync(path)) return path
  const { privateKey } = generateKeyPairSync('rsa', optionsFor(BITS))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  return path
}

/** A source of keys, each another one; the nth of each source is the same. */
export function createKeyRing(): () => Promise<RsaKey> {
  let next = 0
  return async () => {
    const privateKey = createPrivateKey(await rsaPem(next++))
    const publicKey = createPublicKey(privateKey)
    const kid = createHash('sha1')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex')
    return { privateKey, publicKey, kid }
  }
}
