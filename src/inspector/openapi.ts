/** The OpenAPI document of our own paths under `/_sidemint/` (spec.openapis.org/oas/v3.1.0). */

import { version } from '../core/version.ts'
import { SCHEMAS } from './schemas.ts'

const ref = (name: keyof typeof SCHEMAS) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const answer = (description: string, schema: object) => ({ description, ...json(schema) })
const query = (name: string, description: string, schema: object) => ({ name, in: 'query', description, schema })

const refused = (description: string) => ({
  description,
  ...json(ref('Error')),
})

const ORDER_ERRORS = {
  400: refused(
    'CONTROL_BODY_INVALID: the body cannot be used; LOCAL_SOURCE_ONLY: this server does not sign tokens; KEY_FILE_UNREADABLE: the new key cannot be written.',
  ),
  401: refused('CONTROL_SECRET_WRONG: no secret was sent, or another one.'),
  404: { description: 'The server was started without a control secret.' },
  408: refused('CONTROL_BODY_LATE: the body did not all arrive in time.'),
}

function read(summary: string, schema: keyof typeof SCHEMAS, parameters: readonly object[] = []) {
  return { summary, parameters, responses: { 200: answer(summary, ref(schema)) } }
}

function order(summary: string, body: keyof typeof SCHEMAS, result: keyof typeof SCHEMAS) {
  return {
    summary,
    security: [{ controlSecret: [] }],
    requestBody: { required: false, ...json(ref(body)) },
    responses: { 200: answer('It is done.', ref(result)), ...ORDER_ERRORS },
  }
}

const EVENTS = {
  summary: 'Changes as they happen, as server-sent events.',
  description:
    'The events `rows` (data: Changes), `cleared` (every row is gone, and versions begin anew) and `state` (fetch state again). A row comes whole: it replaces the one of its kind with its id.',
  parameters: [
    query('since', 'EPOCH.VERSION as `requests` has them: changes after it come first. Default: only what comes.', {
      type: 'string',
    }),
    { name: 'Last-Event-ID', in: 'header', description: 'The same, as browsers send it.', schema: { type: 'string' } },
  ],
  responses: {
    200: {
      description: 'A stream that lasts until either side ends it.',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    503: refused('STREAMS_TOO_MANY: a hundred are open.'),
  },
}

const ALL = query('all', "Also the requests for gcloud's own audience.", { type: 'boolean', default: false })

const EXPLAIN = {
  summary: 'What a gate decides about a token, sent in the header that would carry it. Nothing is recorded.',
  parameters: [
    query('audience', 'Of the gate that is meant, or its host. Default: the gate that the token is for.', {
      type: 'string',
    }),
    ...['Authorization', 'X-Serverless-Authorization'].map((name) => ({
      name,
      in: 'header',
      description: 'As the service would get it.',
      schema: { type: 'string' },
    })),
  ],
  responses: {
    200: answer('The decision, whether it admits or refuses.', ref('Explanation')),
    404: refused('GATE_UNKNOWN: no gate here has that audience or host.'),
  },
}

const PATHS = {
  '/_sidemint/requests': {
    get: read(
      'What was asked and called, with plain hits among the requests only where a control secret is set.',
      'Requests',
      [ALL],
    ),
    delete: order('Empties requests, calls and their counts. Grants are kept.', 'Nothing', 'Nothing'),
  },
  '/_sidemint/events': { get: EVENTS },
  '/_sidemint/grants': { get: read('The invoker grants that the calls since the start needed.', 'Grants') },
  '/_sidemint/state': { get: read('Who mints and why, for whom, and how the server fares.', 'State') },
  '/_sidemint/explain': { get: EXPLAIN },
  '/_sidemint/openapi.json': { get: read('This document.', 'Document') },
  '/_sidemint/control/fail-next': {
    post: order('Lets the next token requests fail. Replaces an earlier order.', 'FailNext', 'Nothing'),
  },
  '/_sidemint/control/issue': { post: order('Signs an ID token (local source).', 'Issue', 'Issued') },
  '/_sidemint/control/reset': {
    post: order(
      'Empties requests, calls and their counts, grants, ordered failures and cached tokens. Keys, identities and settings stay.',
      'Nothing',
      'Emptied',
    ),
  },
  '/_sidemint/control/rotate': {
    post: order('Signs with a new key from now on (local source), and forgets cached tokens.', 'Nothing', 'Rotated'),
  },
}

export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'sidemint',
    version,
    description: 'What a sidemint tells about itself, and what tests may order. Times are epoch milliseconds.',
  },
  paths: PATHS,
  components: {
    schemas: SCHEMAS,
    securitySchemes: {
      controlSecret: { type: 'http', scheme: 'bearer', description: 'SIDEMINT_CONTROL_SECRET of the server.' },
    },
  },
}
