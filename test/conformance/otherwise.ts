/** What sidemint does knowingly otherwise than Google's server, or where nobody knows what Google's does. */

import { DEFAULT_ACCOUNT, FLAVOR, V1 } from '../http-client.ts'
import { claimsOf } from './jwt.ts'
import type { Server } from './rule.ts'

export interface Otherwise {
  /** What we do. */
  ours: string
  /** What Google's server does, as far as it is known. */
  google: string
  reason: string
  /** Whether this server does it as we do. Absent where that cannot be seen from outside. */
  isSeen?: (server: Server) => Promise<boolean>
}

const KEY = `${V1}/project/project-id`
const answers =
  (status: number, target: string, headers: Record<string, string> = FLAVOR) =>
  async (server: Server) =>
    (await server.ask(target, { headers })).status === status
const hasNoEtag = async (server: Server, target: string) => (await server.ask(target)).headers.etag === undefined

export const OTHERWISE: readonly Otherwise[] = [
  {
    ours: 'The flavor, `Server` and both `X-` headers are on errors and redirects too.',
    google: 'Recorded on values; a 403 of Cloud Run has no flavor.',
    reason: "Ruby takes the flavor for the server's existence, whatever the status.",
    isSeen: async (server) => (await server.ask(KEY, { headers: {} })).headers['metadata-flavor'] === 'Google',
  },
  {
    ours: 'Error pages have a markup of their own around the title and the sentence.',
    google: 'A page with a logo and styles.',
    reason: 'Clients and people match on the status, the Content-Type and the sentence.',
    isSeen: async (server) => !(await server.ask(`${V1}/nothing`)).body.includes('<style'),
  },
  {
    ours: 'A public name as Host is a 403, unless `--allow-host` lists it.',
    google: 'Any Host is answered.',
    reason: 'By DNS rebinding a web page could read tokens; on a laptop a browser runs beside the server.',
    isSeen: answers(403, KEY, { ...FLAVOR, Host: 'page.example' }),
  },
  {
    ours: '`/` refuses X-Forwarded-For too.',
    google: 'Not known.',
    reason: 'One rule for every path.',
    isSeen: answers(403, '/', { ...FLAVOR, 'X-Forwarded-For': '10.0.0.1' }),
  },
  {
    ours: '`X-Google-Metadata-Request: True` counts as the flavor header.',
    google: 'Deprecated; whether it still counts is not known.',
    reason: 'Clients of the time of boto 2 send nothing else.',
    isSeen: answers(200, KEY, { 'X-Google-Metadata-Request': 'True' }),
  },
  {
    ours: 'Escapes in a path are decoded.',
    google: 'They are not.',
    reason: 'Clients that encode the `@` of an account find it.',
    isSeen: answers(200, `${V1}/project/project%2Did`),
  },
  {
    ours: 'Refused parameters are a 400 with a sentence of our own.',
    google: 'A 400; its words are not public, nor is what `timeout_sec=soon` answers.',
    reason: 'The sentence says which parameter it was.',
    isSeen: async (server) => (await server.ask(`${KEY}?alt=xml`)).body === 'alt must be json or text',
  },
  {
    ours: 'An unknown `format` of an ID token counts as `standard`.',
    google: 'Not known.',
    reason: 'A client with a typo gets the smaller token, and none crashes.',
    isSeen: answers(200, `${DEFAULT_ACCOUNT}/identity?audience=https://conformance.example&format=foo`),
  },
  {
    ours: 'Of two audiences the first counts.',
    google: 'Not known.',
    reason: 'As with every other parameter.',
    isSeen: async (server) => (await claimsOf(server, 'audience=a.example&audience=b.example')).aud === 'a.example',
  },
  {
    ours: '`token` and `identity` have no ETag.',
    google: 'Not known.',
    reason: 'Nobody waits for them to change.',
    isSeen: async (server) =>
      (await hasNoEtag(server, `${DEFAULT_ACCOUNT}/token`)) &&
      (await hasNoEtag(server, `${DEFAULT_ACCOUNT}/identity?audience=https://conformance.example`)),
  },
  {
    ours: 'The same ID token is answered again until it is five minutes old.',
    google: 'Each request gets one of its own.',
    reason: 'A mint costs a call to Google; no client assumes that two tokens differ.',
    isSeen: async (server) => {
      const target = `${DEFAULT_ACCOUNT}/identity?audience=https://conformance.example/again`
      const first = await server.read(target)
      return first === (await server.read(target))
    },
  },
  {
    ours: "A local token's `iss` is this server's own URL.",
    google: '`https://accounts.google.com`.',
    reason: "Receivers find the keys by it. With Google credentials the tokens are Google's own.",
    isSeen: async (server) =>
      (await claimsOf(server, 'audience=https://conformance.example')).iss !== 'https://accounts.google.com',
  },
  {
    ours: 'An audience beyond 8 kB is a 400.',
    google: 'Not known.',
    reason: 'Each audience is remembered for a while, and no URL of a service is a tenth of that.',
    isSeen: answers(400, `${DEFAULT_ACCOUNT}/identity?audience=${'x'.repeat(8_193)}`),
  },
  {
    ours: "Cloud Run's tree has keys of a VM too, `machine-type` among them.",
    google: 'Cloud Run documents none of them.',
    reason: "Without `K_SERVICE` OpenTelemetry's detectors know the platform by it alone.",
    isSeen: async (server) =>
      (await Promise.all(['region', 'machine-type'].map((key) => answers(200, `${V1}/instance/${key}`)(server)))).every(
        Boolean,
      ),
  },
  {
    ours: "Failures that Google's server cannot have (no login, no permission) are 400, 403 or 503 with a JSON object.",
    google: 'There are none.',
    reason: 'The developer reads it in every client but those that lose the body, and .NET shows no other form.',
  },
  {
    ours: 'A request waits for at most an hour, and beyond 1,000 waiting ones it is a 503.',
    google: 'Not known.',
    reason: 'A client that vanished would be held for ever.',
  },
]
