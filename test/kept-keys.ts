/**
 * Loaded before every test file: 2048-bit RSA keys come from those of `test/google/rsa.ts`. The tests ask for more than two
 * hundred, and a core makes one in 80 ms. Keys of another kind or size are made as ever, and so are those of a command
 * that runs in a process of its own.
 */

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'
import { RSA_KEYS, type RsaPair, rsaPairOf } from './google/rsa.ts'

/** More than are asked for, by all tests of a process, between the first and the last that one test must tell apart. */
const KEYS = 64

const { generateKeyPair, generateKeyPairSync } = crypto
const makePair = promisify(generateKeyPair) as (type: string, options: object) => Promise<RsaPair>
let asked = 0

/** From the end of the list: a test that names its key counts from the start. */
const nextPair = () => rsaPairOf(RSA_KEYS - 1 - (asked++ % KEYS))

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
