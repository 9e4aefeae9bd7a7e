/** The control API: orders over HTTP, for test suites in any language. Without a secret it is off and answers 404. */

import * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { email, objectOf, text, yesOrNo } from '../core/schemas.ts'
import type { Routes } from '../http/app.ts'
import { notFound } from '../http/wire.ts'
import { readBody, wrong } from './body.ts'
import type { Orders } from './orders.ts'
import { isBearer } from './secret.ts'

export interface ControlOptions {
  orders: Orders
  /** Absent: every order is a 404. */
  secret: string | undefined
  /** The account, as of now, of tokens for which no account is named. */
  defaultAccount: () => string | undefined
}

const number = v.number('must be a number')
const NOTHING = objectOf({})
const FAIL_NEXT = objectOf({
  status: v.optional(number),
  times: v.optional(number),
  audience: v.optional(text),
  delayMs: v.optional(number),
  drop: v.optional(yesOrNo),
})

const CLAIMS = 'must be an object of claims'
const claims = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value), CLAIMS),
  v.record(v.string(), v.unknown(), CLAIMS),
)

const MOST_SECONDS = 1_000_000_000
const SECONDS = `must be a whole number of seconds, at most ${MOST_SECONDS}`
const ISSUE = v.pipe(
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
  v.check(({ audience, user }) => (audience === undefined) !== (user === undefined), 'must have an audience or a user'),
  v.check(
    ({ user, serviceAccount }) => user === undefined || serviceAccount === undefined,
    'has a user and an account',
  ),
)

export function createControl({ orders, secret, defaultAccount }: ControlOptions): Routes {
  function issue({ audience, user, serviceAccount = defaultAccount() ?? '', ...more }: v.InferOutput<typeof ISSUE>) {
    return user === undefined
      ? orders.issueToken({ principal: serviceAccount, audience: audience ?? '', format: 'full', ...more })
      : orders.issueToken({ user, ...more })
  }

  return (router) => {
    const order = <S extends v.GenericSchema>(
      method: 'post' | 'delete',
      path: string,
      schema: S,
      obey: (body: v.InferOutput<S>) => object | Promise<object>,
    ) =>
      router[method](`/_sidemint/${path}`, async (ctx) => {
        if (secret === undefined) throw notFound(ctx.state.inbound.target.text)
        if (!isBearer(ctx.get('Authorization'), secret)) {
          ctx.set('WWW-Authenticate', 'Bearer')
          throw failure('CONTROL_SECRET_WRONG', {})
        }
        const body = await readBody(ctx.req, schema)
        ctx.set('Cache-Control', 'no-store')
        ctx.body = await obey(body)
      })

    order('post', 'control/fail-next', FAIL_NEXT, (asked) => {
      try {
        orders.failNext(asked)
      } catch (error) {
        throw error instanceof RangeError ? wrong(error.message) : error
      }
      return {}
    })
    order('post', 'control/issue', ISSUE, async (asked) => ({ token: (await issue(asked)).value }))
    order('post', 'control/reset', NOTHING, () => ({ emptied: orders.reset() }))
    order('post', 'control/rotate', NOTHING, async () => ({ kid: await orders.rotateKeys() }))
    order('delete', 'requests', NOTHING, () => {
      orders.clearRequests()
      return {}
    })
  }
}
