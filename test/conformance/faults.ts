/** Deliberate faults: a proxy before a server of ours that alters one thing. Each names the rules that find it. */

import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ask, type Reply, V1 } from '../http-client.ts'
import type { Kind } from './kinds.ts'

export interface Asked {
  method: string
  target: string
  headers: Record<string, string>
}

export interface Fault {
  title: string
  /** Exactly the rules that fail. */
  finds: readonly string[]
  /** The server behind. Default: one that looks like Cloud Run. */
  of?: Kind
  /** Alters what is asked. */
  ask?: ((asked: Asked, message: IncomingMessage) => Asked) | undefined
  /** Alters what is answered. */
  reply?: ((reply: Reply, asked: Asked) => Reply) | undefined
  isChunked?: true
}

/** For the targets that match. */
const body = (target: string | RegExp, alter: (body: string) => string): Fault['reply'] =>
  on(target, (reply) => ({ ...reply, body: alter(reply.body) }))
const header = (target: string | RegExp, name: string, value: string | undefined): Fault['reply'] =>
  on(target, (reply) => ({ ...reply, headers: { ...reply.headers, [name]: value } }))
const status = (target: string | RegExp, code: number): Fault['reply'] =>
  on(target, (reply) => ({ ...reply, status: code }))

function on(target: string | RegExp, alter: (reply: Reply) => Reply): Fault['reply'] {
  return (reply, asked) => {
    const isMeant = typeof target === 'string' ? asked.target === target : target.test(asked.target)
    return isMeant ? alter(reply) : reply
  }
}

const target =
  (alter: (target: string) => string): Fault['ask'] =>
  (asked) => ({ ...asked, target: alter(asked.target) })

/** The claims of an ID token, altered; its signature is then wrong, which no rule looks at. */
const claims = (query: RegExp, alter: (claims: Record<string, unknown>) => object): Fault['reply'] =>
  body(new RegExp(`/identity\\?.*${query.source}`), (jwt) => {
    const [head, payload = '', signature] = jwt.split('.')
    if (signature === undefined) return jwt
    const altered = alter(JSON.parse(Buffer.from(payload, 'base64url').toString()))
    return [head, Buffer.from(JSON.stringify(altered)).toString('base64url'), signature].join('.')
  })

const PROJECT_ID = `${V1}/project/project-id`
const pretty = (text: string) => text.replace(/^\{.*\}$/, (json) => JSON.stringify(JSON.parse(json), null, 2))

export const FAULTS: readonly Fault[] = [
  {
    title: 'the flavor is demanded at /',
    finds: ['cors', 'root-ping'],
    reply: (reply, { target, headers }) =>
      target === '/' && headers['Metadata-Flavor'] === undefined ? { ...reply, status: 403 } : reply,
  },
  { title: 'the newline at the end of / is missing', finds: ['root-ping'], reply: body('/', (text) => text.trim()) },
  {
    title: 'the flavor is not demanded',
    finds: ['flavor-missing'],
    ask: (asked) => ({ ...asked, headers: { ...asked.headers, 'Metadata-Flavor': 'Google' } }),
  },
  {
    title: "the flavor's name is compared by case",
    finds: ['flavor-name'],
    ask: (asked, { rawHeaders }) =>
      rawHeaders.includes('Metadata-Flavor') ? asked : { ...asked, headers: { Host: asked.headers.Host ?? '' } },
  },
  {
    title: 'X-Forwarded-For passes',
    finds: ['forwarded'],
    ask: ({ headers: { 'X-Forwarded-For': _, ...headers }, ...asked }) => ({ ...asked, headers }),
  },
  {
    title: 'a Host with its final dot is refused',
    finds: ['host'],
    reply: (reply, { headers }) => (headers.Host?.endsWith('.') ? { ...reply, status: 403 } : reply),
  },
  {
    title: 'the Server header names another',
    finds: ['headers'],
    reply: header(PROJECT_ID, 'server', 'nginx'),
  },
  {
    title: 'the flavor is missing with tokens',
    finds: ['headers'],
    reply: header(/\/token$/, 'metadata-flavor', undefined),
  },
  { title: 'answers are chunked', finds: ['head', 'length'], isChunked: true },
  { title: 'answers are compressed', finds: ['length'], reply: header(`${V1}/project`, 'content-encoding', 'gzip') },
  {
    title: 'a redirect loses the port',
    finds: ['redirect'],
    reply: (reply) => ({
      ...reply,
      headers: { ...reply.headers, location: reply.headers.location?.replace(/:\d+/, '') },
    }),
  },
  {
    title: 'a redirect loses the query',
    finds: ['redirect'],
    reply: (reply) => ({
      ...reply,
      headers: { ...reply.headers, location: reply.headers.location?.replace(/\?.*/, '') },
    }),
  },
  { title: 'a redirect has no body', finds: ['redirect'], reply: body(V1, () => '') },
  { title: 'a directory without its slash is a 404', finds: ['redirect'], reply: status(`${V1}/instance`, 404) },
  {
    title: "a listing's last line is not ended",
    finds: ['listing'],
    reply: body(`${V1}/project/`, (text) => text.trimEnd()),
  },
  {
    title: 'a listing is not sorted',
    finds: ['listing'],
    reply: body(`${V1}/instance/`, (text) => `${text.trim().split('\n').reverse().join('\n')}\n`),
  },
  { title: 'a value ends with a newline', finds: ['value'], reply: body(`${V1}/instance/id`, (text) => `${text}\n`) },
  {
    title: 'a value has a final slash',
    finds: ['value'],
    ask: target((text) => text.replace(/(project-id)\/$/, '$1')),
  },
  { title: 'doubled slashes count', finds: ['path'], reply: status(`${V1}/project//project-id`, 404) },
  {
    title: 'keys are found in any case',
    finds: ['path'],
    ask: target((text) => text.replace('Project-Id', 'project-id')),
  },
  { title: 'recursive JSON is pretty', finds: ['recursion'], reply: body(`${V1}/project/?recursive=true`, pretty) },
  {
    title: 'recursive JSON has dashed names',
    finds: ['recursion'],
    reply: body(`${V1}/project/?recursive=1`, (json) => json.replace('projectId', 'project-id')),
  },
  {
    title: 'recursive JSON has a charset',
    finds: ['recursion'],
    reply: header(`${V1}/?recursive=true`, 'content-type', 'application/json; charset=utf-8'),
  },
  {
    title: 'recursion has the token in it',
    finds: ['recursion-secrets'],
    reply: body(/service-accounts\/\?recursive=true$/, (json) =>
      json.replace('"default":{', '"default":{"token":"x",'),
    ),
  },
  {
    title: 'a big id loses its last digits in JSON',
    finds: ['big-id'],
    of: 'a VM',
    reply: body(`${V1}/instance/?recursive=true`, (json) =>
      json.replace(/"id":(\d+)/, (_, id) => `"id":${Number(id)}`),
    ),
  },
  {
    title: 'alt=json does not quote',
    finds: ['alt'],
    reply: body(/project-id\?alt=json$/, (json) => json.replaceAll('"', '')),
  },
  {
    title: 'alt=text is JSON',
    finds: ['alt'],
    ask: target((text) => text.replace('recursive=true&alt=text', 'recursive=true')),
  },
  { title: 'alt=xml is taken', finds: ['alt-misuse'], ask: target((text) => text.replace('alt=xml', 'alt=json')) },
  { title: 'tags are a line each', finds: ['tags'], ask: target((text) => text.replace(/\/tags$/, '/tags?alt=text')) },
  { title: 'unknown parameters are refused', finds: ['query'], reply: status(`${PROJECT_ID}?foo=bar`, 400) },
  { title: 'a broken escape in a query is refused', finds: ['query'], reply: status(`${PROJECT_ID}?x=%ZZ`, 400) },
  { title: 'ETags of JSON and text differ', finds: ['etag'], reply: header(/alt=text/, 'etag', '0123456789abcdef') },
  {
    title: "a listing's ETag has quotes",
    finds: ['etag'],
    reply: header(`${V1}/project/`, 'etag', '"0123456789abcdef"'),
  },
  {
    title: 'waiting is not held',
    finds: ['waiting'],
    ask: target((text) => text.replace(/(project-id\?)wait_for_change=true&(timeout_sec=2)/, '$1$2')),
  },
  {
    title: 'last_etag is not read',
    finds: ['last-etag'],
    ask: target((text) => text.replace(/&last_etag=(?:0|NONE)/, '')),
  },
  {
    title: 'a token is waited for',
    finds: ['waiting-misuse'],
    ask: target((text) => text.replace('token?wait_for_change=true', 'token?')),
  },
  {
    title: 'an unknown key is a plain 404',
    finds: ['not-found'],
    reply: on(/nothing$/, (reply) => ({
      ...reply,
      headers: { ...reply.headers, 'content-type': 'text/plain' },
      body: 'Not Found',
    })),
  },
  {
    title: 'a 404 page leaves out the query',
    finds: ['not-found'],
    reply: body(/nothing\?a=1/, (text) => text.replace(/\?[^<]*/, '')),
  },
  {
    title: 'a 404 page echoes HTML',
    finds: ['escaping'],
    reply: body(/script/, (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>')),
  },
  {
    title: 'the account is listed as default alone',
    finds: ['service-accounts'],
    reply: body(/service-accounts\/$/, (text) => text.replace(/.*@.*\n/, '')),
  },
  { title: 'aliases has no newline', finds: ['account'], reply: body(/\/aliases$/, (text) => text.trim()) },
  {
    title: 'scopes are JSON',
    finds: ['account'],
    ask: target((text) => text.replace(/@(\S+)\/scopes$/, '@$1/scopes?alt=json')),
  },
  {
    title: "another account's email gets the token of this one",
    finds: ['other-account'],
    ask: target((text) => text.replace(/nobody@[^/]+/, 'default')),
  },
  {
    title: 'the refusal of a token without an account has spaces',
    finds: ['no-account'],
    of: 'a server without an account',
    reply: body(/\/token$/, (json) => json.replace(',', ', ')),
  },
  {
    title: 'expires_in is a text',
    finds: ['access-token'],
    reply: body(/default\/token$/, (json) => json.replace(/:(\d+)/, ':"$1"')),
  },
  {
    title: 'expires_in is a fraction',
    finds: ['access-token'],
    reply: body(/default\/token$/, (json) => json.replace(/:(\d+)/, ':$1.5')),
  },
  {
    title: 'a token has a minute left',
    finds: ['access-token'],
    reply: body(/default\/token$/, (json) => json.replace(/:(\d+)/, ':60')),
  },
  { title: 'token is pretty JSON', finds: ['access-token'], reply: body(/default\/token$/, pretty) },
  { title: 'encoded scopes are refused', finds: ['access-token-query'], reply: status(/scopes=https%3A/, 400) },
  {
    title: 'a missing audience is said in other words',
    finds: ['audience-missing'],
    reply: body(/identity$/, (text) => `${text}\n`),
  },
  {
    title: 'an empty audience is an audience',
    finds: ['audience-missing'],
    ask: target((text) => text.replace(/identity\?audience=$/, 'identity?audience=x')),
  },
  {
    title: 'an ID token has a charset',
    finds: ['identity'],
    reply: header(
      /default\/identity\?audience=https:\/\/conformance\.example$/,
      'content-type',
      'text/html; charset=utf-8',
    ),
  },
  {
    title: 'an ID token ends with a newline',
    finds: ['identity'],
    reply: body(/@.*identity\?audience=https:\/\/conformance\.example$/, (jwt) =>
      jwt.startsWith('ey') ? `${jwt}\n` : jwt,
    ),
  },
  {
    title: 'an ID token is ten minutes old',
    finds: ['identity-age'],
    reply: claims(/\/age/, ({ iat, exp, ...more }) => ({ ...more, iat: Number(iat) - 600, exp: Number(exp) - 600 })),
  },
  {
    title: 'an ID token lives for half an hour',
    finds: ['identity-age'],
    reply: claims(/\/age/, ({ exp, ...more }) => ({ ...more, exp: Number(exp) - 1_800 })),
  },
  {
    title: "an audience's final slash is dropped",
    finds: ['identity-audience'],
    ask: target((text) => text.replace(/audience=https:\/\/a\.example\/$/, 'audience=https://a.example')),
  },
  {
    title: 'a raw query of an audience is dropped',
    finds: ['identity-audience'],
    ask: target((text) => text.replace('/x?y=1', '/x')),
  },
  {
    title: 'a standard token has an email',
    finds: ['identity-claims'],
    ask: target((text) =>
      text.replace('format=standard&licenses=FALSE', 'format=full').replace(/(a\.example.*)format=full/, '$1'),
    ),
  },
  { title: 'format is not read', finds: ['identity-claims'], ask: target((text) => text.replace(/format=full&?/, '')) },
  {
    title: 'azp is the email',
    finds: ['identity-claims'],
    reply: claims(/\/claims/, (all) => ({ ...all, azp: 'a@b.example' })),
  },
  {
    title: "a VM's token has no licenses",
    finds: ['identity-instance'],
    of: 'a VM',
    ask: target((text) => text.replace('&licenses=TRUE', '')),
  },
  { title: "gcloud's audience is refused", finds: ['gcloud'], reply: status(/32555940559/, 400) },
  {
    title: 'the universe ends with a newline',
    finds: ['universe'],
    reply: body(/universe-domain/, (text) => `${text}\n`),
  },
  {
    title: 'universe_domain is there',
    finds: ['universe'],
    ask: target((text) => text.replace('universe_domain', 'universe-domain')),
  },
  {
    title: 'the number of the project is not known',
    finds: ['alt', 'place', 'project', 'recursion'],
    reply: body(/numeric-project-id$/, () => 'unknown'),
  },
  {
    title: 'the zone is without its path',
    finds: ['place'],
    reply: body(/\/zone$/, (zone) => zone.replace(/.*\//, '')),
  },
  {
    title: 'the region is another',
    finds: ['place'],
    reply: body(/\/zone$/, (zone) => zone.replace('us-central1', 'us-east1')),
  },
  { title: 'there is a cluster-name', finds: ['cluster-name'], reply: status(/cluster-name$/, 200) },
  {
    title: 'POST is taken for GET',
    finds: ['methods'],
    ask: (asked) => (asked.method === 'POST' ? { ...asked, method: 'GET' } : asked),
  },
  {
    title: 'a 405 does not say what is allowed',
    finds: ['methods'],
    reply: (reply) => (reply.status === 405 ? { ...reply, headers: { ...reply.headers, allow: undefined } } : reply),
  },
  { title: 'any page may read it', finds: ['cors'], reply: header('/', 'access-control-allow-origin', '*') },
  {
    title: 'HEAD is refused',
    finds: ['head'],
    reply: (reply, { method }) => (method === 'HEAD' ? { ...reply, status: 405 } : reply),
  },
  {
    title: 'HTTP/1.0 is refused',
    finds: ['http-1-0'],
    ask: (asked, { httpVersion }) => (httpVersion === '1.0' ? { ...asked, target: '/nothing' } : asked),
  },
  {
    title: 'a connection ends after a failure',
    finds: ['keep-alive'],
    reply: (reply) => (reply.status === 404 ? { ...reply, headers: { ...reply.headers, connection: 'close' } } : reply),
  },
  {
    title: 'old paths work',
    finds: ['legacy'],
    ask: target((text) => text.replace('v1beta1/instance', 'v1/instance')),
  },
  {
    title: 'guest attributes are refused in other words',
    finds: ['guest-attributes'],
    reply: body(/guest-attributes/, () => 'off'),
  },
]

/** Stands before the server at `url`. */
export async function createFaultyServer(url: string, fault: Omit<Fault, 'finds' | 'title' | 'of'>) {
  const agent = new Agent({ keepAlive: true })
  const server = createServer(async (message, response) => {
    const { rawHeaders, url: path = '/', method = 'GET' } = message
    const pairs = rawHeaders.flatMap((name, at) =>
      at % 2 === 0 ? [[cased(name), rawHeaders[at + 1] ?? ''] as const] : [],
    )
    const sent: Asked = {
      method,
      target: path,
      headers: Object.fromEntries(pairs.filter(([name]) => name !== 'Connection')),
    }
    try {
      const asked = fault.ask?.(sent, message) ?? sent
      // The head of a HEAD is that of the altered body.
      const upstream = await ask(url, asked.target, {
        ...asked,
        method: asked.method === 'HEAD' ? 'GET' : asked.method,
        agent,
      })
      const { 'content-length': _length, connection, 'keep-alive': _, ...headers } = upstream.headers
      const reply = fault.reply?.({ ...upstream, headers }, asked) ?? { ...upstream, headers }
      const length = { 'content-length': String(Buffer.byteLength(reply.body)) }
      const all = { ...reply.headers, ...(fault.isChunked ? {} : length) }
      const kept = Object.entries(all).filter(([, value]) => value !== undefined)
      response.sendDate = false
      response.writeHead(reply.status, Object.fromEntries(kept))
      response.end(reply.body)
    } catch {
      response.destroy()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      agent.destroy()
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

const cased = (name: string) => name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
