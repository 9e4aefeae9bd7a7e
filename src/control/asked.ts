/** What may be ordered, and of which form: one rule for the test API, which gets objects, and the control API, which gets JSON. */

import * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { LONGEST_DELAY_MS, MOST_LEVELS, MOST_SECONDS, MOST_TIMES } from '../core/orders.ts'
import { email, objectOf, plainly, text, whole, yesOrNo } from '../core/schemas.ts'
import type { IssueOptions } from '../issuer/local.ts'
import type { FailureOrder } from '../metadata/failures.ts'

export const FAIL_NEXT = objectOf({
  status: v.optional(whole(400, 599)),
  times: v.optional(whole(0, MOST_TIMES)),
  audience: v.optional(text),
  delayMs: v.optional(whole(0, LONGEST_DELAY_MS)),
  drop: v.optional(yesOrNo),
})

const CLAIMS = `must be an object of claims, at most ${MOST_LEVELS} levels deep`
const claims = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value) && !isDeeper(value, MOST_LEVELS), CLAIMS),
  v.record(v.string(), v.unknown(), CLAIMS),
)

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1))
}

const SECONDS = `must be a whole number of seconds, at most ${MOST_SECONDS}`

export const ISSUE = v.pipe(
  objectOf({
    audience: v.optional(text),
    serviceAccount: v.optional(email),
    user: v.optional(email),
    claims: v.optional(claims),
    expiresInSeconds: v.optional(
      v.pipe(
        v.number(SECONDS),
        v.integer(SECONDS),
        v.minValue(-MOST_SECONDS, SECONDS),
        v.maxValue(MOST_SECONDS, SECONDS),
      ),
    ),
  }),
  v.check(
    ({ audience, user }) => (audience === undefined) !== (user === undefined),
    'must have an audience or a user, and not both',
  ),
  v.check(
    ({ user, serviceAccount }) => user === undefined || serviceAccount === undefined,
    'has a user and an account',
  ),
)

export type Issue = v.InferOutput<typeof ISSUE>

/** The order; throws what `wrong` makes of the reason why it cannot be used. `whole`: what the order as a whole is called. */
export function checkOrder<S extends v.GenericSchema>(
  schema: S,
  data: unknown,
  whole: string,
  wrong: (reason: string) => Error,
): v.InferOutput<S> {
  if (Array.isArray(data)) throw wrong(`${whole} must be an object of values`)
  const result = v.safeParse(schema, data, { abortPipeEarly: true })
  if (!result.success) throw wrong(result.issues.map((issue) => describe(issue, whole)).join('; '))
  return result.output
}

function describe(issue: v.BaseIssue<unknown>, whole: string): string {
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.')
  return `${path === '' ? whole : plainly(path)} ${issue.message}`
}

const unusable = (name: string) => (reason: string) => failure('ORDER_INVALID', { name, reason })

/** An order of `failNext` in a program. Throws ORDER_INVALID. */
export function readFailNext(asked: unknown): FailureOrder {
  return checkOrder(FAIL_NEXT, asked, 'the order', unusable('failNext'))
}

/** An order of `issueToken` in a program. Throws ORDER_INVALID. */
export function readIssue(asked: unknown): Issue {
  return checkOrder(ISSUE, asked ?? {}, 'the order', unusable('issueToken'))
}

/** `account`: of tokens for which none is named. */
export function issueOptions({ audience = '', user, serviceAccount, ...more }: Issue, account = ''): IssueOptions {
  return user === undefined
    ? { principal: serviceAccount ?? account, audience, format: 'full', ...more }
    : { user, ...more }
}
