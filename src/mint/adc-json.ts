/** The JSON of a credential file, or what happened to it: such files get copied and encoded on their way. */

import { encodingOf } from '../core/encoding.ts'
import { failure } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'

/** `name`: where it is. Without `fix`, the fix depends on the place. */
export function malformed(name: string, reason: string, fix?: string): Error {
  return failure('CREDENTIALS_MALFORMED', { path: name, reason }, { fix })
}

/** Throws CREDENTIALS_MALFORMED. Skips a byte order mark of UTF-8. */
export function readJson(name: string, bytes: Buffer): object {
  if (isUtf16(bytes)) {
    throw malformed(name, 'it is UTF-16, as PowerShell 5 writes it', 'write it as UTF-8: Out-File -Encoding utf8')
  }
  const text = new TextDecoder().decode(bytes)
  const data = parseJson(text)
  if (data === undefined) throw malformed(name, ...describeText(text))
  if (typeof data === 'string' && parseJson(data) !== undefined) {
    throw malformed(name, 'it is JSON in a JSON string, so it was encoded twice', 'write what `jq -r .` makes of it')
  }
  if (typeof data !== 'object' || data === null) throw malformed(name, 'it is not a JSON object')
  return data
}

/** By its byte order mark, or by zeros: in UTF-16 every second byte of ASCII text is one. */
function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes
  return encodingOf(bytes) !== 'utf-8' || (first === 0) !== (second === 0)
}

function describeText(text: string): [reason: string, fix?: string] {
  if (text.trim() === '') return ['it is empty']
  if (/^\s*-----BEGIN/.test(text)) return ['it is a PEM key without the JSON around it', KEY_FIX]
  if (/^\s*\{/.test(Buffer.from(text, 'base64').toString())) {
    return ['it is base64 of JSON', 'write what `base64 -d` makes of it']
  }
  return /"private_key"\s*:\s*"[^"]*\n/.test(text)
    ? ['its private_key has line breaks where JSON has \\n', KEY_FIX]
    : ['it is not JSON, or only half written']
}

/** The fix for a key that was damaged on its way here. */
export const KEY_FIX =
  'copy the file as Google gave it, byte by byte; or make another: gcloud iam service-accounts keys create FILE --iam-account=EMAIL'

/** A type that does not look like one of Google's may be a secret in the wrong place, so it is not shown. */
export function describeType(path: string, data: { type?: unknown }): Error {
  const { type } = data
  if ('installed' in data || 'web' in data) {
    const login = 'gcloud auth application-default login --client-id-file=FILE makes a login with it, in another file'
    return malformed(path, 'it is an OAuth client, not a login', login)
  }
  if (type === undefined) return malformed(path, 'it has no type')
  return malformed(
    path,
    typeof type === 'string' && /^[a-z_]{1,40}$/.test(type) ? `its type "${type}" is unknown` : 'its type is unknown',
  )
}

/** What became of a key's line breaks on their way through shells, variables and editors. */
export function describeDamage(pem: unknown): string | undefined {
  if (typeof pem !== 'string') return undefined
  if (pem.includes('\\n')) return 'its private_key has \\n as two characters, so it was escaped twice'
  return /^-----BEGIN [A-Z ]+-----[ \t]+\S/.test(pem)
    ? 'the line breaks of its private_key have become spaces'
    : undefined
}
