/** ID tokens, as the rules look at them. Nothing of a signature is read. */

import { DEFAULT_ACCOUNT } from '../http-client.ts'
import type { Server } from './rule.ts'

export type Part = Record<string, unknown>

/** Head and claims; undefined for what is not a JWT. */
export function readJwt(body: string): { head: Part; claims: Part } | undefined {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(body)) return undefined
  const [head = '', claims = ''] = body.split('.')
  const read = (part: string): Part => JSON.parse(Buffer.from(part, 'base64url').toString())
  try {
    return { head: read(head), claims: read(claims) }
  } catch {
    return undefined
  }
}

/** The claims of the token that `identity?QUERY` answers. Throws where it answers none. */
export async function claimsOf(server: Server, query: string): Promise<Part> {
  const jwt = readJwt(await server.read(`${DEFAULT_ACCOUNT}/identity?${query}`))
  if (jwt === undefined) throw new Error(`GET ${DEFAULT_ACCOUNT}/identity?${query}: the body is not a JWT`)
  return jwt.claims
}
