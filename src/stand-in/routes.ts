/** What each of Google's key hosts serves here; the server refuses everything else on them. */

import type { KEY_HOSTS } from '../core/google.ts'
import type { Routes } from '../http/app.ts'
import { answer } from '../http/hosts.ts'
import { describeIssuer, HEADERS, publishKeys } from '../issuer/discovery.ts'
import type { AccountKeys } from './account-keys.ts'
import type { Accounts } from './accounts.ts'
import { apiError } from './google-error.ts'
import { createIam, type IamOptions } from './iam.ts'
import { describeToken, readParameters, type TokenInfoOptions } from './token-info.ts'

export type RoutesOptions = IamOptions & TokenInfoOptions

export function createRoutes(options: RoutesOptions): ReadonlyMap<string, Routes> {
  const { keys, issuer, now } = options
  const routes: Record<(typeof KEY_HOSTS)[number], readonly Routes[]> = {
    'www.googleapis.com': [
      publishKeys(keys, now),
      publishAccountKeys(options),
      describeTokens('/oauth2/v3/tokeninfo', options),
    ],
    'oauth2.googleapis.com': [describeTokens('/tokeninfo', options)],
    'accounts.google.com': [describeIssuer(() => ({ issuer, base: issuer, keysBase: 'https://www.googleapis.com' }))],
    'iamcredentials.googleapis.com': [createIam(options)],
  }
  return new Map(
    Object.entries(routes).map(([host, all]) => [
      host,
      (router) => {
        for (const addTo of all) addTo(router)
      },
    ]),
  )
}

/** The certificates that verify what signBlob and signJwt have signed. */
function publishAccountKeys({ accounts, accountKeys }: { accounts: Accounts; accountKeys: AccountKeys }): Routes {
  return (router) => {
    router.get('/robot/v1/metadata/x509/:account', async (ctx) => {
      const email = accounts.find(ctx.params.account ?? '')
      if (email === undefined) throw apiError(404, 'Requested entity was not found.')
      ctx.set(HEADERS)
      ctx.body = await accountKeys.certificates(email)
    })
  }
}

function describeTokens(path: string, options: TokenInfoOptions): Routes {
  return (router) => {
    router.register(path, ['GET', 'POST'], async (ctx) => {
      answer(ctx, {
        status: 200,
        body: await describeToken(await readParameters(ctx.req, ctx.state.inbound.target.query), options),
      })
    })
  }
}
