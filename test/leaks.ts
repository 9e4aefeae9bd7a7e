/**
 * Loaded before every test file: whatever a server of a test logs, keeps for its page, or answers under `/_sidemint/` is
 * looked through for tokens, keys and queries. One that is found ends the process of the tests, with its place.
 */

import { ServerResponse } from 'node:http'
import { Table } from '../src/inspector/table.ts'

const LEAKS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a token, or JSON in base64', /eyJ[\w-]{16,}/],
  ['an access token', /ya29\.[\w-]+|sidemint-local-access-token\.[\w-]+/],
  ['a refresh token', /1\/\/0[\w-]+/],
  ['a client secret', /GOCSPX-[\w-]+/],
  ['a private key', /BEGIN [A-Z ]*PRIVATE KEY|MII[\w+/]{60}/],
  ['a query', /"path":"[^"]*\?|\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [^\s"]*\?[\w%]/],
]

/** What is in the text that must not be; undefined: nothing. */
export function findLeak(text: string): string | undefined {
  for (const [what, pattern] of LEAKS) {
    const [found] = pattern.exec(text) ?? []
    if (found !== undefined) return `${what}: ${found.slice(0, 80)}`
  }
  return undefined
}

const planted = new Map<string, string[]>()

/** Where this text is found from now on, which then ends nothing. For the test of this file. */
export function plant(text: string): readonly string[] {
  const places: string[] = []
  planted.set(text, places)
  return places
}

/** Not thrown to the caller, which may be a server that answers its own errors. */
export function lookThrough(where: string, text: string): void {
  const leak = findLeak(text)
  if (leak === undefined) return
  const places = [...planted].find(([own]) => text.includes(own))?.[1]
  if (places !== undefined) return void places.push(where)
  setImmediate(() => {
    throw new Error(`${where} has ${leak}`)
  })
}

/** Made to hold a token. */
const ISSUED = '/_sidemint/control/issue'

export function lookThroughAnswer(path: string | undefined, body: unknown): void {
  if (!path?.startsWith('/_sidemint/') || path === ISSUED) return
  if (typeof body === 'string' || body instanceof Uint8Array) lookThrough(path, String(body))
}

const { write, end } = ServerResponse.prototype
const { add } = Table.prototype
Object.assign(ServerResponse.prototype, {
  write(this: ServerResponse, ...given: Parameters<typeof write>) {
    lookThroughAnswer(this.req.url, given[0])
    return write.apply(this, given)
  },
  end(this: ServerResponse, ...given: Parameters<typeof end>) {
    lookThroughAnswer(this.req.url, given[0])
    return end.apply(this, given)
  },
})
Table.prototype.add = function (make) {
  const row = add.call(this, make)
  lookThrough('a row of the page', JSON.stringify(row))
  return row
}
