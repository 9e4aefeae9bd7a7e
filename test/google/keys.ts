import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { kept, keptPath } from './kept.ts'
import { type RsaPair, rsaPairOf } from './rsa.ts'

export interface RsaKey extends RsaPair {
  /** 40 hex digits, as Google's key ids are. */
  kid: string
}

const pkcs8 = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** The nth RSA key of all tests, in PEM. */
export async function rsaPem(index = 0, bits = 2_048): Promise<string> {
  if (bits === 2_048) return pkcs8(rsaPairOf(index).privateKey)
  return kept(`rsa-${bits}-${index}.pem`, async () => {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits })
    return pkcs8(privateKey)
  })
}

/** The same as a file: given to a server as its `keyFile`, it spares making a key. */
export function rsaKeyFile(index = 0): string {
  const path = keptPath(`rsa-2048-${index}.pem`)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.${crypto.randomUUID()}`
  writeFileSync(draft, pkcs8(rsaPairOf(index).privateKey), { mode: 0o600 })
  renameSync(draft, path)
  return path
}

const made: RsaKey[] = []

/** A source of keys, each another one; the nth of each source is the same. */
export function createKeyRing(): () => Promise<RsaKey> {
  let next = 0
  return async () => {
    const index = next++
    made[index] ??= keyOf(rsaPairOf(index))
    return made[index]
  }
}

function keyOf(pair: RsaPair): RsaKey {
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  return { ...pair, kid: createHash('sha1').update(spki).digest('hex') }
}
