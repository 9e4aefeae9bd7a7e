/**
 * RSA keys of 2,048 bits that need no search for primes, which takes a core 30 to 90 ms a key: any two of a few dozen
 * primes make one. The primes are in the repository, so nothing outside of tests may trust such a key.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const PUBLIC_EXPONENT = 65_537n
const primes = JSON.parse(readFileSync(join(import.meta.dirname, 'primes.json'), 'utf8')).map((hex: string) =>
  BigInt(`0x${hex}`),
) as bigint[]
const pairs = primes.flatMap((p, index) => primes.slice(0, index).map((q) => [p, q] as const))

/** So many keys there are. */
export const RSA_KEYS = pairs.length

export interface RsaPair {
  privateKey: KeyObject
  publicKey: KeyObject
}

const made: RsaPair[] = []

/** The nth of the keys, the same in every process. */
export function rsaPairOf(index: number): RsaPair {
  if (made[index] === undefined) {
    const privateKey = make(index)
    made[index] = { privateKey, publicKey: createPublicKey(privateKey) }
  }
  return made[index]
}

function make(index: number): KeyObject {
  const pair = pairs[index]
  if (pair === undefined) throw new Error(`there are ${RSA_KEYS} keys; add a prime to primes.json for key ${index}`)
  const [p, q] = pair
  const d = inverse(PUBLIC_EXPONENT, (p - 1n) * (q - 1n))
  const parts = { n: p * q, e: PUBLIC_EXPONENT, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const jwk = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, base64url(value)]))
  return createPrivateKey({ key: { kty: 'RSA', ...jwk }, format: 'jwk' })
}

/** By Euclid's algorithm; the two have no factor in common. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [r, next, x, nextX] = [modulus, value % modulus, 0n, 1n]
  while (next > 0n) {
    const quotient = r / next
    ;[r, next] = [next, r - quotient * next]
    ;[x, nextX] = [nextX, x - quotient * nextX]
  }
  return x < 0n ? x + modulus : x
}

function base64url(value: bigint): string {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
}
