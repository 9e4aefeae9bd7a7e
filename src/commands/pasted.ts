/** Reads a token that somebody pasted or piped, as the headers of the request that would carry it. */

import { parseJson } from '../core/json.ts'
import { misuse } from './arguments.ts'

/** Our servers take 32 KiB of URL and headers together. */
export const MOST_CHARACTERS = 24_000

const HEADER = /^[\s>]*(?:-H|--header)?[\s=]*["']?((?:x-serverless-)?authorization)\s*:\s*(.*?)["']?[\s\\]*$/i

const SCHEME = /^(bearer|basic|digest|negotiate)\b/i

const ONE_TOKEN = /^(?:Bearer )?[\w-]+\.[\w-]+\.[\w-]*$/

/**
 * Alternating names and values; empty where nothing came. Takes a token with or without `Bearer`, between quotes, broken
 * into lines, or as headers, among others or as curl has them. Throws SETTINGS_INVALID where it is longer than any header
 * can be, and where it is something else.
 */
export function readPasted(text: string): string[] {
  if (text.length > MOST_CHARACTERS) throw misuse('stdin: holds more than a header can, and is not one token')
  const lines = text.split(/[\r\n]+/).flatMap((line) => HEADER.exec(line)?.slice(1, 3) ?? [])
  if (lines.length > 0) return lines.map(sendable)
  const whole = sendable(unwrapped(text.trim().replace(/^(["'])(.*)\1$/s, '$2')))
  if (whole === '') return []
  const other = whatElse(whole)
  if (other !== undefined) throw misuse(`stdin: ${other}`)
  return ['Authorization', SCHEME.test(whole) ? whole : `Bearer ${whole}`]
}

const TOKEN_FIELDS = ['id_token', 'token', 'idToken', 'access_token']

/** What stands where a token should; undefined where that may be one. Nothing of it is quoted: a part may be secret. */
function whatElse(text: string): string | undefined {
  const data = parseJson(text)
  if (typeof data === 'object' && data !== null) {
    const field = TOKEN_FIELDS.find((name) => name in data)
    return field === undefined
      ? 'holds an answer in JSON without a token, such as an error'
      : `holds JSON: take the token out of its field ${field}`
  }
  const isToken = SCHEME.test(text) || !text.includes(' ') || /(^| )(eyJ|ya29\.)/.test(text)
  return isToken ? undefined : 'holds other text, such as an error, in the place of a token'
}

/** In one line: what is copied from a terminal or a mail often breaks a long token into several. */
function unwrapped(text: string): string {
  const joined = text.replace(/^bearer\s+/i, 'Bearer ').replace(/\s*[\r\n]\s*/g, '')
  return ONE_TOKEN.test(joined) ? joined : text.replace(/\s+/g, ' ')
}

/** No header holds other characters, and no token does. */
function sendable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').trim()
}
