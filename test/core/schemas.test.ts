import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { isPathLike } from '../../src/core/schemas.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const base64url = (text: string) => Buffer.from(text).toString('base64url')

const JSON_KEY = JSON.stringify({ type: 'service_account', private_key: 'secret' })
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))

const PATHS = [
  '/secrets/adc.json',
  'key.pem',
  './keys/key.pem',
  '~/.config/gcloud/application_default_credentials.json',
  'C:\\Users\\Ann Lee\\adc.json',
  '"/quoted/adc.json"',
  // base64 reads a brace in it
  'examples/keys/key',
  'MII/key.pem',
  `/${'deep/'.repeat(50)}key.pem`,
  '/dev/fd/63',
]
for (const path of PATHS) test(`${path} may be a path`, (t) => t.true(isPathLike(path)))

const CONTENTS: [what: string, text: string][] = [
  ['JSON', JSON_KEY],
  ['indented JSON', JSON.stringify(JSON.parse(JSON_KEY), null, 2)],
  ['JSON after a blank', ` ${JSON_KEY}`],
  ['JSON in quotes', `'${JSON_KEY}'`],
  ['base64 of JSON', base64(JSON_KEY)],
  ['base64url of JSON', base64url(JSON_KEY)],
  ['base64 of indented JSON', base64(JSON.stringify(JSON.parse(JSON_KEY), null, 2))],
  ['base64 of JSON in quotes', `"${base64(JSON_KEY)}"`],
  ['base64 in lines', base64(JSON_KEY).replace(/.{40}/g, '$&\n')],
  ['an empty object', '{}'],
  ['PEM', PEM],
  ['PEM with escaped newlines', PEM.replaceAll('\n', '\\n')],
  ['PEM with its newlines lost', PEM.replaceAll('\n', ' ')],
  ['base64 of PEM', base64(PEM)],
  ['base64 of a DER key', privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')],
  ['a JWT', `${base64url('{"alg":"RS256"}')}.e30.x`],
  ['an access token', 'ya29.a0AfH6SMBx'],
  ['a refresh token', '1//0gHd6-secret'],
  ['two lines', 'key.pem\nmore'],
  ['a NUL', 'key\0.pem'],
  ['more than any path has', 'a/'.repeat(2049)],
]
for (const [what, text] of CONTENTS) test(`${what} is not a path`, (t) => t.false(isPathLike(text)))
