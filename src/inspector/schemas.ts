/** What the paths under `/_sidemint/` take and answer, as JSON Schema 2020-12. */

import { LONGEST_DELAY_MS, MOST_LEVELS, MOST_SECONDS, MOST_TIMES } from '../core/orders.ts'

const text = { type: 'string' }
const texts = { type: 'array', items: text }
const whole = { type: 'integer', minimum: 0 }
const time = { ...whole, description: 'Epoch ms.' }
const yesOrNo = { type: 'boolean' }
const orNull = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] })
const listOf = (name: string) => ({ type: 'array', items: { $ref: `#/components/schemas/${name}` } })

/** An object with these members and no others; the names that end in a question mark may be absent. */
function object(members: Record<string, object>, description = '') {
  const entries = Object.entries(members)
  return {
    type: 'object',
    ...(description === '' ? {} : { description }),
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace('?', ''), schema])),
    required: entries.map(([name]) => name).filter((name) => !name.endsWith('?')),
    additionalProperties: false,
  }
}

const FOLDED = { id: whole, at: time, lastAt: time, count: whole }
const KIND = { enum: ['id', 'access'] }
const BOUND = object({ most: whole, forgotten: whole }, 'How many rows are kept at the most, and how many have gone.')

const WANTS = object({ audiences: texts, trust: texts, gcloudAudiences: yesOrNo, invokers: texts })
const ORIGIN = object({ identity: text, audience: text, caller: text, at: time })
const CHECK = object({ claim: { enum: ['iss', 'exp', 'aud', 'email'] }, 'value?': {}, 'good?': yesOrNo })

const HOP = object(
  {
    ...FOLDED,
    address: { ...text, description: 'Its place on the page.' },
    caller: text,
    service: text,
    method: text,
    path: { ...text, maxLength: 2_000 },
    decision: { enum: ['allow', 'refuse', 'report'] },
    'status?': whole,
    code: text,
    reason: text,
    'failed?': { enum: ['token', 'iss', 'exp', 'aud', 'email'] },
    'lines?': object({ here: text, 'production?': text }, 'What would let the account in.'),
    account: text,
    audience: text,
    'wants?': WANTS,
    'fp?': text,
    'claims?': { type: 'object' },
    checks: { type: 'array', items: CHECK },
    'token?': { ...ORIGIN, description: 'Who asked for the token first.' },
    'askedAt?': time,
    'cut?': object({ count: whole, lastAt: time, reason: text }, 'Answers that broke off after their heads.'),
  },
  'Calls of one service to another that ended alike, as a gate saw them.',
)

const MODE = { enum: ['enforce', 'report'] }

const ASKED = object(
  {
    ...FOLDED,
    address: { ...text, description: 'Its place on the page.' },
    hits: whole,
    caller: text,
    kind: KIND,
    audience: text,
    scopes: texts,
    identity: text,
    status: whole,
    'code?': text,
    'reason?': text,
    'fp?': text,
    'expiresAt?': time,
  },
  'Requests for a token by one caller that ended alike.',
)

const ARROW = object({ ...FOLDED, caller: text, service: text, refused: whole, 'status?': whole, code: text })

const REQUEST = object({
  at: time,
  kind: KIND,
  audience: text,
  scopes: texts,
  identity: text,
  caller: text,
  result: { enum: ['hit', 'mint', 'stale', 'error'] },
  status: { ...whole, description: '0: a test had the connection ended.' },
})

const TOTALS = object({ calls: whole, refused: whole, asked: whole, hits: whole, failed: whole })
const ROWS = { hops: listOf('Hop'), asked: listOf('Asked'), arrows: listOf('Arrow') }

const STATE = object({
  now: time,
  version: text,
  'url?': text,
  source: { enum: ['local', 'google', 'metadata', null], description: 'null: a gate, which mints nothing.' },
  'why?': text,
  'login?': orNull(object({ 'about?': text, 'code?': text, 'fix?': text })),
  'issuer?': orNull(text),
  'advice?': texts,
  'failing?': orNull(object({ code: text, fix: text })),
  'project?': text,
  'region?': text,
  settings: object({ file: orNull(text), appliedAt: time }),
  'identities?': {
    type: 'array',
    items: object({
      email: orNull(text),
      accounts: texts,
      callers: texts,
      hosts: texts,
      port: orNull(whole),
      isDefault: yesOrNo,
    }),
  },
  gates: {
    type: 'array',
    items: object({
      host: orNull(text),
      port: orNull(whole),
      upstream: text,
      audiences: texts,
      invokers: texts,
      policy: orNull(text),
      mode: MODE,
      trust: texts,
    }),
  },
  'control?': yesOrNo,
  'cache?': object({
    count: whole,
    stored: {
      type: 'array',
      items: object({
        kind: KIND,
        principal: text,
        wanted: text,
        ageMs: { type: 'number' },
        leftMs: { type: 'number' },
      }),
    },
  }),
})

const EXPLANATION = object(
  {
    decision: { enum: ['admitted', 'refused'] },
    code: text,
    status: orNull(whole),
    reason: text,
    fix: text,
    gate: object({ host: orNull(text), mode: MODE, audiences: texts, others: texts }),
    account: text,
    claims: orNull({ type: 'object' }),
    checks: { type: 'array', items: CHECK },
    lines: object({ sidemint: orNull(text), gcloud: orNull(text) }, 'Under these the same token would pass.'),
  },
  'What a gate decides, and what would have to differ. It holds no token.',
)

export const SCHEMAS = {
  Error: object({ error: text, error_description: text }),
  Nothing: object({}),
  Document: { type: 'object' },
  Hop: HOP,
  Asked: ASKED,
  Arrow: ARROW,
  Request: REQUEST,
  Grant: object({ ...FOLDED, service: text, member: text, granted: yesOrNo }),
  Changes: object({ totals: TOTALS, ...ROWS, more: { ...yesOrNo, description: 'Not all are here: fetch requests.' } }),
  Requests: object({
    epoch: text,
    version: whole,
    since: time,
    now: time,
    totals: TOTALS,
    bounds: object({ hops: BOUND, asked: BOUND, arrows: BOUND }),
    ...ROWS,
    requests: listOf('Request'),
  }),
  Grants: object({ 'project?': text, 'region?': text, grants: listOf('Grant'), most: whole, forgotten: whole }),
  State: STATE,
  Explanation: EXPLANATION,
  FailNext: object({
    'status?': { type: 'integer', minimum: 400, maximum: 599, default: 503 },
    'times?': { type: 'integer', minimum: 0, maximum: MOST_TIMES, default: 1 },
    'audience?': {
      ...text,
      minLength: 1,
      description: 'Only ID tokens for such an audience; `*` is any run of characters.',
    },
    'delayMs?': { type: 'integer', minimum: 0, maximum: LONGEST_DELAY_MS, default: 0 },
    'drop?': { ...yesOrNo, default: false, description: 'End the connection in place of an answer.' },
  }),
  Issue: {
    ...object({
      'audience?': { ...text, minLength: 1 },
      'serviceAccount?': { ...text, description: "Default: the server's default identity." },
      'user?': { ...text, description: "A person's email, in place of an audience: a token as gcloud has it." },
      'claims?': { type: 'object', description: `Laid over the claims; at most ${MOST_LEVELS} levels deep.` },
      'expiresInSeconds?': { type: 'integer', minimum: -MOST_SECONDS, maximum: MOST_SECONDS, default: 3_600 },
    }),
    oneOf: [
      { required: ['audience'], not: { required: ['user'] } },
      { required: ['user'], not: { anyOf: [{ required: ['audience'] }, { required: ['serviceAccount'] }] } },
    ],
  },
  Issued: object({ token: text }),
  Emptied: object(
    { emptied: object({ requests: whole, calls: whole, grants: whole, failures: whole, tokens: whole }) },
    'How many there were. `requests` counts plain hits too; `failures` are token requests that would still have failed.',
  ),
  Rotated: object({ kid: text }),
}
