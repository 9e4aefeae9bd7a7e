/** What a rule is, and what it sees: a metadata server from outside, by real HTTP. */

import type { Reply } from '../http-client.ts'

/** One rule of the wire. Its name is that of its file. */
export interface Rule {
  /** What holds, in one sentence. */
  title: string
  /** A heading of docs/wire.md, or the URL of Google's documentation. */
  source: string
  /** Resolves with each deviation that it found; none where the rule holds. Throws NotHere where it does not apply. */
  check(server: Server): Promise<readonly string[]>
}

/** The rule is about something that this server does not have. */
export class NotHere extends Error {
  override readonly name = 'NotHere'
}

export interface Asking {
  method?: string
  /** Default: the flavor header. */
  headers?: Record<string, string>
}

export interface Expected {
  status: number
  /** The whole Content-Type. */
  type?: string
  /** All of the body, its form, or a function that says what is wrong with it. */
  body?: string | RegExp | ((body: string) => string | undefined)
  /** By lower-case name; undefined: the header has to be absent. */
  headers?: Record<string, string | RegExp | undefined>
}

export type Row = readonly [target: string, expected: Expected, asking?: Asking]

export interface Server {
  /** Without a path. */
  readonly url: string
  /** Host and port. */
  readonly host: string
  /** `target` goes into the request line as it is. Throws where no answer comes in time. */
  ask(target: string, asking?: Asking): Promise<Reply>
  /** How the answer differs from what is expected. */
  expect(...row: Row): Promise<string[]>
  expectAll(rows: readonly Row[]): Promise<string[]>
  /** Sends bytes over a connection; resolves with what came until it was closed, or the text `enough` was in it. */
  raw(bytes: string, enough: string): Promise<string>
  /** The body of a 200; throws for any other status. */
  read(target: string, asking?: Asking): Promise<string>
  /** The email of its service account. Throws NotHere where it has none. */
  email(): Promise<string>
}

export const TEXT = 'application/text'
export const JSON_TYPE = 'application/json'
export const HTML = 'text/html'
export const PAGE = 'text/html; charset=UTF-8'

/** Google's page for an error: clients and people match on its title and sentence. `sentence` is as it stands in HTML. */
export function page(code: number, reason: string, sentence: string): Expected {
  const title = `<title>Error ${code} (${reason})!!1</title>`
  return {
    status: code,
    type: PAGE,
    body: (body) => {
      const lacking = [title, sentence].filter((part) => !body.replace(/\s+/g, ' ').includes(part.replace(/\s+/g, ' ')))
      return lacking.length === 0 ? undefined : `lacks ${lacking.join(' and ')}`
    },
  }
}

export const notFound = (shown: string) =>
  page(404, 'Not Found', `The requested URL <code>${shown}</code> was not found on this server.`)

export const forbidden = (path: string, detail: string) =>
  page(
    403,
    'Forbidden',
    `Your client does not have permission to get URL <code>${path}</code> from this server. ${detail}`.trim(),
  )

export const text = (body: Expected['body']): Expected => ({
  status: 200,
  type: TEXT,
  ...(body === undefined ? {} : { body }),
})
export const json = (body: Expected['body']): Expected => ({
  status: 200,
  type: JSON_TYPE,
  ...(body === undefined ? {} : { body }),
})

/** The parsed body, in a check of it: says what is wrong, also where it is not compact JSON. */
export function parsed(look: (value: Record<string, unknown>) => string | undefined) {
  return (body: string): string | undefined => {
    if (/\s/.test(body.replace(/"(?:[^"\\]|\\.)*"/g, ''))) return 'is not compact JSON'
    try {
      return look(JSON.parse(body))
    } catch {
      return 'is not JSON'
    }
  }
}
