/** Reads a token that somebody pasted or piped, as the headers of the request that would carry it. */

import { misuse } from './arguments.ts'

/** Our servers take 32 KiB of URL and headers together. */
export const MOST_CHARACTERS = 24_000

const HEADER = /^[\s>]*(?:-H|--header)?[\s=]*["']?((?:x-serverless-)?authorization)\s*:\s*(.*?)["']?[\s\\]*$/i

const ONE_TOKEN = /^(?:Bearer )?[\w-]+\.[\w-]+\.[\w-]*$/

/**
 * Alternating names and values; empty where nothing came. Takes a token with or without `Bearer`, between quotes, broken
 * into lines, or as headers, among others or as curl has them. Throws SETTINGS_INVALID where it is longer than any header
 * can be.
 */
export function readPasted(text: string): string[] {
  if (text.length > MOST_CHARACTERS) throw misuse('stdin: holds more than a header can, and is not one token')
  const lines = text.split(/[\r\n]+/).flatMap((line) => HEADER.exec(line)?.slice(1, 3) ?? [])
  if (lines.length > 0) return lines.map(sendable)
  const whole = sendable(unwrapped(text.trim().replace(/^(["'])(.*)\1$/s, '$2')))
  if (whole === '') return []
  return ['Authorization', /^(bearer|basic|digest|negotiate)\b/i.test(whole) ? whole : `Bearer ${whole}`]
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
