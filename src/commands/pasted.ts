/** Reads a token that somebody pasted or piped, as the headers of the request that would carry it. */

import { stripVTControlCharacters } from 'node:util'
import { parseJson } from '../core/json.ts'
import { misuse } from './arguments.ts'

/** Our servers take 32 KiB of URL and headers together. */
export const MOST_CHARACTERS = 24_000

/** A header with a token, as a line of a request, an argument of curl or a field of a program has it. */
const HEADER = /^[\s>]*(?:-H|--header)?[\s=]*(["']?)((?:x-serverless-)?authorization)["']?\s*:\s*(["']?)(.*)$/i

/** A line of a request that has its token elsewhere, or has none. */
const OTHER_HEADER =
  /^[\s>]*(?:-H|--header)?[\s=]*["']?(?:proxy-authorization|cookie|host|user-agent|accept|x-[\w-]+)\s*:/i

const SCHEME = /^(bearer|basic|digest|negotiate)\b/i

/** `eyJ` is how `{"` begins in base64. */
const ONE_TOKEN = /^(?:Bearer )?eyJ[\w-]*\.[\w-]+\.[\w-]*$/
const TOKENS = /(?<![\w.-])(?:eyJ[\w-]*\.[\w-]+\.[\w-]*|ya29\.[\w.-]+)(?![\w.+/=-])/g

/**
 * Alternating names and values; empty where nothing came, or a request without a header for a token. Takes a token with
 * or without `Bearer`, broken into lines, with other text around it, or as headers, among others or as curl has them.
 * Throws SETTINGS_INVALID where it is longer than any header can be, and where it is something else.
 */
export function readPasted(pasted: string): string[] {
  if (pasted.length > MOST_CHARACTERS) throw misuse('stdin: holds more than a header can, and is not one token')
  const text = plain(pasted)
  const lines = text.split(/[\r\n]+|\s(?=(?:-H|--header)\b)/)
  const headers = lines.flatMap(headerOf)
  if (headers.length > 0) return headers.map(sendable)
  if (text === '' || lines.some((line) => OTHER_HEADER.test(line))) return []
  const whole = sendable(tokenIn(text))
  const other = whatElse(whole)
  if (other !== undefined) throw misuse(`stdin: ${other}`)
  return ['Authorization', SCHEME.test(whole) || isOfScheme(whole) ? whole : `Bearer ${whole}`]
}

/** Without the colours of a terminal and what no eye sees, and without quotes around all of it. */
function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\p{Cf}/gu, '')
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2')
}

/** Name and value of a header for a token; empty where the line is none. */
function headerOf(line: string): string[] {
  const [, outer = '', name = '', inner = '', rest = ''] = HEADER.exec(line) ?? []
  if (name === '') return []
  const quote = inner || outer
  return [name, quote === '' ? rest.replace(/[\s\\]+$/, '') : (rest.split(quote)[0] ?? '')]
}

/**
 * In one line: what is copied from a terminal or a mail often breaks a long token into several. Without the text around
 * it, where the text holds one token and does not say how that is sent.
 */
function tokenIn(text: string): string {
  const inLines = text.replace(/^bearer\s+/i, 'Bearer ').replace(/\s*[\r\n]\s*/g, '')
  if (ONE_TOKEN.test(inLines)) return inLines
  const inWords = text.replace(/\s+/g, ' ')
  const [token, ...others] = inWords.match(TOKENS) ?? []
  const isWhole = SCHEME.test(inWords) || isOfScheme(inWords)
  if (token !== undefined && others.length === 0 && !isWhole && !isJson(inWords)) return token
  const joined = text.replace(/\s+/g, '').replace(/^bearer/i, 'Bearer ')
  return ONE_TOKEN.test(joined) ? joined : inWords
}

/** A token behind one word, such as `Token` or `JWT`, is how it is sent. */
function isOfScheme(text: string): boolean {
  return /^[a-z]+ (eyJ|ya29\.)\S+$/i.test(text)
}

function isJson(text: string): boolean {
  return parseJson(text) !== undefined
}

/** What stands where a token should; undefined where that may be one. Nothing of it is quoted: a part may be secret. */
function whatElse(text: string): string | undefined {
  const data = parseJson(text)
  if (typeof data === 'object' && data !== null) {
    if ('private_key' in data || 'refresh_token' in data) return 'holds a credential file, not a token'
    const field = fieldOf(data)
    return field === undefined
      ? 'holds an answer in JSON without a token, such as an error'
      : `holds JSON: take the token out of its field ${field}`
  }
  const isToken = SCHEME.test(text) || !text.includes(' ') || /(^| )(eyJ|ya29\.)/.test(text)
  return isToken ? undefined : 'holds other text, such as an error, in the place of a token'
}

/** Where in the data a token stands. */
function fieldOf(data: object): string | undefined {
  for (const [name, value] of Object.entries(data)) {
    if (typeof value === 'string' && /^(?:Bearer )?(?:eyJ|ya29\.)/i.test(value)) return name
    const inner = typeof value === 'object' && value !== null ? fieldOf(value) : undefined
    if (inner !== undefined) return `${name}.${inner}`
  }
  return undefined
}

/** No header holds other characters, and no token does. */
function sendable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').trim()
}
