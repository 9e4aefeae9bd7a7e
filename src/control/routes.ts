/** The control API: orders over HTTP, for test suites in any language. Without a secret it is off and answers 404. */

import type * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { objectOf } from '../core/schemas.ts'
import type { Routes } from '../http/app.ts'
import { notFound } from '../http/wire.ts'
import { FAIL_NEXT, ISSUE, issueOptions } from './asked.ts'
import { readOrder } from './body.ts'
import type { Orders } from './orders.ts'
import { isBearer } from './secret.ts'

export interface ControlOptions {
  orders: Orders
  /** Absent: every order is a 404. */
  secret: string | undefined
  /** The account, as of now, of tokens for which no account is named. */
  defaultAccount: () => string | undefined
}

const NOTHING = objectOf({})

export function createControl({ orders, secret, defaultAccount }: ControlOptions): Routes {
  return (router) => {
    const known: string[] = []
    const order = <S extends v.GenericSchema>(
      method: 'post' | 'delete',
      path: string,
      schema: S,
      obey: (body: v.InferOutput<S>) => object | Promise<object>,
    ) => {
      known.push(`${method.toUpperCase()} /_sidemint/${path}`)
      router[method](`/_sidemint/${path}`, async (ctx) => {
        if (secret === undefined) throw notFound(ctx.state.inbound.target.text)
        if (!isBearer(ctx.get('Authorization'), secret)) {
          ctx.set('WWW-Authenticate', 'Bearer')
          throw failure('CONTROL_SECRET_WRONG', {})
        }
        const body = await readOrder(ctx, schema)
        ctx.set('Cache-Control', 'no-store')
        ctx.body = await obey(body)
      })
    }

    order('post', 'control/fail-next', FAIL_NEXT, (asked) => {
      orders.failNext(asked)
      return {}
    })
    order('post', 'control/issue', ISSUE, async (asked) => {
      const { value: token } = await orders.issueToken(issueOptions(asked, defaultAccount()))
      return { token }
    })
    order('post', 'control/reset', NOTHING, () => ({ emptied: orders.reset() }))
    order('post', 'control/rotate', NOTHING, async () => ({ kid: await orders.rotateKeys() }))
    order('delete', 'requests', NOTHING, () => {
      orders.clearRequests()
      return {}
    })
    router.all('/_sidemint/control/:name', (ctx, next) => {
      // Whoever has no secret reads here what every other unknown path says.
      if (secret === undefined || !isBearer(ctx.get('Authorization'), secret)) return next()
      const { method, path } = ctx
      throw failure('ORDER_UNKNOWN', { method, path, known: known.join(', ') })
    })
  }
}
