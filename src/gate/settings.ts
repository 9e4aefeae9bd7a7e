/** The gate's rows of the settings table. */

import * as v from 'valibot'
import { EMAIL, isEmail } from '../core/accounts.ts'
import { asProblem, type SidemintError } from '../core/errors.ts'
import { METADATA_URL } from '../core/google.ts'
import {
  listOf,
  objectOf,
  oneOf,
  path,
  type SettledOf,
  settingsTable,
  sound,
  text,
  url,
  whole,
  whyNoUrl,
  yesOrNo,
} from '../core/schemas.ts'
import { MEMBER, whyNotInGroup, whyUnusable } from './members.ts'

const told = (wrong: SidemintError | undefined) => wrong && asProblem(wrong)
const member = v.pipe(
  text,
  sound((one) => told(whyUnusable(one)), { pattern: `^(?:${MEMBER})$` }),
)
const groupMember = v.pipe(
  text,
  sound(
    (pair) => {
      const [name, one] = splitPair(pair)
      return isEmail(name) && one !== '' ? told(whyNotInGroup(name, one)) : 'must be GROUP=MEMBER'
    },
    { pattern: `^${EMAIL}=(?!all)(?:${MEMBER})$` },
  ),
)
const subject = v.pipe(text, v.regex(new RegExp(`^[^\\s="']+=${EMAIL}$`), 'must be SUB=EMAIL'))
const TRUST = 'must be google or the URL of an issuer'
const trusted = v.pipe(
  v.string(TRUST),
  sound((value) => (value === 'google' ? undefined : whyNoUrl(value, TRUST)), {
    pattern: '^(?:google|https?://[^\\s/]+.*)$',
  }),
)
const hostOnly = v.pipe(text, v.regex(/^[^\s/:*]+$/, 'must be a name without scheme and port'))

const trust = listOf(trusted)
const group = listOf(groupMember)
const subjects = listOf(subject)
const strip = oneOf('both', 'serverless-only', 'never')
const mode = oneOf('enforce', 'report')

const entry = objectOf({
  host: hostOnly,
  port: v.optional(whole(1, 65535)),
  upstream: url,
  audience: v.optional(listOf(text), []),
  invoker: v.optional(listOf(member), []),
  policy: v.optional(path),
  // Where an entry has none of these, the setting of that name counts.
  trust: v.exactOptional(trust),
  group: v.exactOptional(group),
  subject: v.exactOptional(subjects),
  strip: v.exactOptional(strip),
  mode: v.exactOptional(mode),
  gcloudAudiences: v.exactOptional(yesOrNo),
})

export const GATE_SETTINGS = settingsTable({
  upstream: { kind: 'text', value: 'URL', schema: url, help: 'the service behind the gate', takenBy: ['gate'] },
  audience: {
    kind: 'list',
    value: 'URL',
    schema: listOf(text),
    help: 'audiences that are accepted: a run.app URL by its origin, others exactly',
    takenBy: ['gate', 'explain'],
    default: [],
  },
  invoker: {
    kind: 'list',
    value: 'MEMBER',
    schema: listOf(member),
    help: 'who may call: user:, serviceAccount:, group:, domain:, allUsers, allAuthenticatedUsers',
    takenBy: ['gate', 'explain'],
    default: [],
  },
  policy: {
    kind: 'text',
    value: 'FILE',
    schema: path,
    help: 'who may call, as `gcloud run services get-iam-policy` prints it (JSON or YAML); a changed file is applied while running',
    takenBy: ['gate', 'explain'],
  },
  trust: {
    kind: 'list',
    value: 'google|URL',
    schema: trust,
    help: `whose tokens are accepted (default: google, ${METADATA_URL})`,
    takenBy: ['gate', 'explain'],
    default: ['google', METADATA_URL],
  },
  group: {
    kind: 'list',
    value: 'GROUP=MEMBER',
    schema: group,
    help: 'a member of a group',
    takenBy: ['gate', 'explain'],
    default: [],
  },
  subject: {
    kind: 'list',
    value: 'SUB=EMAIL',
    schema: subjects,
    help: 'the email of a subject, for tokens of the first issuer in --trust that have none',
    takenBy: ['gate', 'explain'],
    default: [],
  },
  strip: {
    kind: 'text',
    value: 'WHERE',
    schema: strip,
    help: "where the token's signature is removed: both, serverless-only or never",
    takenBy: ['gate'],
    default: 'both',
  },
  mode: {
    kind: 'text',
    value: 'MODE',
    schema: mode,
    help: 'enforce, or report: log and let pass',
    takenBy: ['gate'],
    default: 'enforce',
  },
  gcloudAudiences: {
    kind: 'boolean',
    schema: yesOrNo,
    help: "accept tokens with gcloud's own audience, as Cloud Run does (on; --no-gcloud-audiences)",
    takenBy: ['gate', 'explain'],
    default: true,
  },
  adminPort: {
    kind: 'number',
    value: 'N',
    schema: whole(0, 65535),
    help: 'port for health and metrics, on loopback; the service keeps all its paths',
    takenBy: ['gate'],
    default: 8081,
  },
  gatePort: {
    kind: 'number',
    value: 'N',
    schema: whole(0, 65535),
    help: 'the port that `gates:` of the file without one share; 0 takes a free one',
    takenBy: ['serve'],
    default: 8080,
  },
  gates: {
    kind: 'tree',
    schema: listOf(entry),
    help: 'several gates in one process, chosen by Host',
    takenBy: ['serve', 'gate'],
    default: [],
  },
})

export type GateSettings = SettledOf<typeof GATE_SETTINGS> & { readonly port: number }

/** The texts before and after the first `=`. */
export function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}
