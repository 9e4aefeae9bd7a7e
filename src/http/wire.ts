/**
 * Google's side of the wire: header values, Content-Types and failures. docs/wire.md, "Content types" and "Errors", has
 * the source of each. Clients match on the status, the Content-Type and the sentence, not on the markup.
 */

/** Sent with every answer, errors and redirects included: Node refuses a 2xx without the flavor (docs/wire.md, "Response headers"). */
export const HEADERS: readonly string[] = [
  'Metadata-Flavor',
  'Google',
  'Server',
  'Metadata Server for VM',
  'X-XSS-Protection',
  '0',
  'X-Frame-Options',
  'SAMEORIGIN',
]

export const TYPES = {
  /** Listings and values. */
  text: 'application/text',
  /** Without a charset: oauth2client compares the whole value. */
  json: 'application/json',
  /** ID tokens and short errors. Without a charset: Ruby takes exactly this. */
  html: 'text/html',
  /** Error pages only. */
  page: 'text/html; charset=UTF-8',
} as const

/** Our metadata source sends it and our guard refuses it, so that a sidemint which is pointed at itself fails at once. */
export const MARKER = 'x-sidemint-source'

/** An answer as a value; `writeAnswer` turns it into HTTP. */
export interface Answer {
  readonly status: number
  /** Every header: alternating names and values, as in `rawHeaders`. */
  readonly head: readonly string[]
  readonly body: string
  /** Called once it has been written. */
  readonly onSent?: () => void
}

/**
 * Makes an answer with its whole head, so that giving it again is only a write. `headers`: further ones, alternating
 * names and values. Never chunked: .NET needs a Content-Length (docs/wire.md, "Response headers").
 */
export function createAnswer(status: number, type: string, body: string, headers: readonly string[] = []): Answer {
  const length = String(Buffer.byteLength(body))
  return { status, head: [...HEADERS, 'Content-Type', type, 'Content-Length', length, ...headers], body }
}

/** A failure that Google's server has too. Thrown anywhere below the guard, answered there. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly answer: Answer

  constructor(message: string, answer: Answer) {
    super(message)
    this.answer = answer
  }
}

/** Thrown where the connection ends in place of an answer: a test has ordered that, or the caller has left. */
export class Dropped extends Error {
  override readonly name = 'Dropped'
}

/** `target` is the path with its query, as asked. */
export function notFound(target: string): WireError {
  return page(404, 'Not Found', `The requested URL <code>${escapeHtml(target)}</code> was not found on this server.`)
}

export function forbidden(path: string, detail = ''): WireError {
  const sentence = `Your client does not have permission to get URL <code>${escapeHtml(path)}</code> from this server.`
  return page(403, 'Forbidden', `${sentence} ${escapeHtml(detail)}`.trim())
}

export function methodNotAllowed(method: string, path: string): WireError {
  const sentence = `The request method <code>${escapeHtml(method)}</code> is inappropriate for the URL <code>${escapeHtml(path)}</code>.`
  return page(405, 'Method Not Allowed', sentence, ['Allow', 'GET, HEAD'])
}

/** A 400 with a short plain body; Google's own words where they are known (docs/wire.md, "Errors"). */
export function badRequest(text: string): WireError {
  return new WireError(text, createAnswer(400, TYPES.html, text))
}

/** What a VM without a service account answers to `token` and `identity`, byte for byte (docs/wire.md, "Errors"). */
export function noServiceAccount(): WireError {
  const body = '{"error":"invalid_request","error_description":"Service account not enabled on this instance"}'
  return new WireError('service account not enabled on this instance', createAnswer(404, TYPES.html, body))
}

function page(status: number, reason: string, sentence: string, headers: readonly string[] = []): WireError {
  const body = `<!DOCTYPE html>
<html lang="en">
<title>Error ${status} (${reason})!!1</title>
<p><b>${status}.</b> That's an error.</p>
<p>${sentence}</p>
<p>That's all we know.</p>
</html>
`
  return new WireError(`${status} ${reason}`, createAnswer(status, TYPES.page, body, headers))
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
