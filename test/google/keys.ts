import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

export interface RsaKey {
  privateKey: KeyObject
  publicKey: KeyObject
  /** 40 hex digits, as Google's key ids are. */
  kid: string
}

/** A pair takes 30 to 90 ms to make, so the fakes of one process share them: the nth key of each is the nth here. */
const pool: Promise<RsaKey>[] = []

/** A source of keys, each another one, made when asked for. */
export function createKeyRing(): () => Promise<RsaKey> {
  let next = 0
  return () => {
    const index = next++
    pool[index] ??= generate()
    return pool[index]
  }
}

async function generate(): Promise<RsaKey> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const kid = createHash('sha1')
    .update(pair.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  return { ...pair, kid }
}
