/**
 * Loaded before every test file: 2048-bit RSA keys come from a few that were made once. The tests ask for more than two
 * hundred, and a core makes one in 80 ms. Keys of another kind or size are made as ever, and so are those of a command
 * that runs in a process of its own.
 */

import crypto, { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { keptPath } from './google/kept.ts'

/** More than are asked for, by all tests of a process, between the first and the last that one test must tell apart. */
const KEYS = 64

const { generateKeyPair, generateKeyPairSync } = crypto
const makePair = promisify(generateKeyPair) as (type: string, options: object) => Promise<Pair>
const pairs: Pair[] = []
let asked = 0

type Pair = { privateKey: KeyObject; publicKey: KeyObject }

function pem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    const text = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    const draft = `${path}.${crypto.randomUUID()}`
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(draft, text, { mode: 0o600 })
    renameSync(draft, path)
    return text.toString()
  }
}

function nextPair(): Pair {
  const index = asked++ % KEYS
  if (pairs[index] === undefined) {
    const privateKey = createPrivateKey(pem(keptPath(`made-${index}.pem`)))
    pairs[index] = { privateKey, publicKey: createPublicKey(privateKey) }
  }
  return pairs[index]
}

const isKept = (type: string, options: object) =>
  type === 'rsa' && Object.keys(options).join() === 'modulusLength' && Object.values(options)[0] === 2048

Object.assign(crypto, {
  generateKeyPairSync: (type: 'rsa', options: crypto.RSAKeyPairKeyObjectOptions) =>
    isKept(type, options) ? nextPair() : generateKeyPairSync(type, options),
  generateKeyPair: Object.assign(
    () => {
      throw new Error('tests make keys by promises')
    },
    {
      [promisify.custom]: async (type: string, options: object) =>
        isKept(type, options) ? nextPair() : makePair(type, options),
    },
  ),
})
syncBuiltinESMExports()
