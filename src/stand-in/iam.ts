/**
 * iamcredentials.googleapis.com: signs and mints for accounts, for callers with an access token of ours. So the code that
 * makes a signed URL in production makes one offline.
 * cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts
 */

import type { IncomingMessage } from 'node:http'
import { parseJson } from '../core/json.ts'
import type { Routes } from '../http/app.ts'
import { readBody } from '../http/body.ts'
import { answer } from '../http/hosts.ts'
import { createAccessToken } from '../issuer/access-token.ts'
import type { SigningKeys } from '../issuer/keys.ts'
import type { CachedSource } from '../mint/cache.ts'
import { type AccountKeys, signBytes, signJwt } from './account-keys.ts'
import { type Accounts, readBearer } from './accounts.ts'
import { apiError } from './google-error.ts'

export interface IamOptions {
  keys: SigningKeys
  accounts: Accounts
  accountKeys: AccountKeys
  /** Mints the ID tokens. */
  tokens: Pick<CachedSource, 'mint'>
  /** Epoch ms. */
  now: () => number
}

type Body = Readonly<Record<string, unknown>>
type Method = (target: string, body: Body, options: IamOptions) => Promise<object>

const METHODS: Readonly<Record<string, { permission: string; answer: Method }>> = {
  signBlob: { permission: 'iam.serviceAccounts.signBlob', answer: blob },
  signJwt: { permission: 'iam.serviceAccounts.signJwt', answer: jwt },
  generateIdToken: { permission: 'iam.serviceAccounts.getOpenIdToken', answer: idToken },
  generateAccessToken: { permission: 'iam.serviceAccounts.getAccessToken', answer: accessToken },
}

const DELEGATE = 'projects/-/serviceAccounts/'
const MOST_BYTES = 1024 * 1024
/** Of an access token, and of the `exp` of signJwt: as documented. */
const LONGEST_SECONDS = { accessToken: 3600, jwt: 12 * 3600 }

export function createIam(options: IamOptions): Routes {
  return (router) => {
    for (const [name, method] of Object.entries(METHODS)) {
      const path = new RegExp(`^/v1/projects/-/serviceAccounts/([^/:]+?)(?::|%3[Aa])${name}$`)
      router.post(path, async (ctx) => {
        const [, account = ''] = path.exec(ctx.path) ?? []
        const caller = await authenticate(ctx.req, options)
        const body = await readJson(ctx.req)
        const target = authorize(caller, account.replace(/%40/i, '@'), body, method.permission, options.accounts)
        answer(ctx, { status: 200, body: await method.answer(target, body, options) })
      })
    }
  }
}

async function authenticate({ headers }: IncomingMessage, { keys, now }: IamOptions): Promise<string> {
  const bearer = await readBearer(keys, headers.authorization, now())
  if (typeof bearer === 'object') return bearer.principal
  const [what, reason] =
    bearer === 'missing'
      ? ['Request is missing required authentication credential.', 'CREDENTIALS_MISSING']
      : ['Request had invalid authentication credentials.', 'ACCESS_TOKEN_TYPE_UNSUPPORTED']
  const text = `${what} Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.`
  const info = { reason, domain: 'googleapis.com', metadata: { service: 'iamcredentials.googleapis.com' } }
  const challenge = 'Bearer realm="https://accounts.google.com/"'
  throw apiError(401, text, info, {
    'WWW-Authenticate': bearer === 'missing' ? challenge : `${challenge}, error="invalid_token"`,
  })
}

async function readJson(req: IncomingMessage): Promise<Body> {
  const text = await readBody(req, MOST_BYTES)
  if (text === undefined) throw apiError(413, `Request payload size exceeds the limit: ${MOST_BYTES} bytes.`)
  const body = parseJson(text)
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body
  throw apiError(400, 'Invalid JSON payload received.')
}

/** The target's email. As with Google, a caller who may not act as an account does not learn whether it exists. */
function authorize(caller: string, name: string, body: Body, permission: string, accounts: Accounts): string {
  const chain = [...strings(body, 'delegates').map(delegate), name]
  return chain.reduce((from, next) => {
    const email = accounts.find(next)
    if (email !== undefined && accounts.mayActAs(from, email)) return email
    throw apiError(403, `Permission '${permission}' denied on resource (or it may not exist).`, {
      reason: 'IAM_PERMISSION_DENIED',
      domain: 'iam.googleapis.com',
      metadata: { permission },
    })
  }, caller)
}

function delegate(name: string): string {
  if (name.startsWith(DELEGATE)) return name.slice(DELEGATE.length)
  throw apiError(400, `Invalid form of account ID ${name}. Should be [Gaia ID |Email |Unique ID |] of the account`)
}

async function blob(target: string, { payload }: Body, { accountKeys }: IamOptions): Promise<object> {
  if (typeof payload !== 'string' || !/^[\w+/-]*={0,2}$/.test(payload)) {
    throw apiError(400, "Invalid value at 'payload' (TYPE_BYTES), Base64 decoding failed")
  }
  const key = await accountKeys.of(target)
  return { keyId: key.kid, signedBlob: signBytes(key, Buffer.from(payload, 'base64')).toString('base64') }
}

async function jwt(target: string, { payload }: Body, { accountKeys, now }: IamOptions): Promise<object> {
  const claims = typeof payload === 'string' ? parseJson(payload) : undefined
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw apiError(400, 'The JWT payload must be a JSON object.')
  }
  const { exp } = claims as Body
  const leftSeconds = typeof exp === 'number' && Number.isInteger(exp) ? exp - now() / 1000 : Number.NaN
  if (exp !== undefined && !(leftSeconds > 0 && leftSeconds <= LONGEST_SECONDS.jwt)) {
    throw apiError(400, 'The exp claim must be an integer timestamp within the next 12 hours.')
  }
  const key = await accountKeys.of(target)
  return { keyId: key.kid, signedJwt: signJwt(key, String(payload)) }
}

async function idToken(target: string, body: Body, { tokens }: IamOptions): Promise<object> {
  const { audience, includeEmail, useEmailAzp } = body
  if (typeof audience !== 'string' || audience === '') throw apiError(400, 'Request contains an invalid argument.')
  const format = includeEmail === true ? 'full' : 'standard'
  const request = { kind: 'id', principal: target, audience, format, useEmailAzp: useEmailAzp === true } as const
  return { token: (await tokens.mint(request)).value }
}

async function accessToken(target: string, body: Body, { keys, now }: IamOptions): Promise<object> {
  const scopes = strings(body, 'scope')
  if (scopes.length === 0) throw apiError(400, 'Scope required.')
  const { lifetime = `${LONGEST_SECONDS.accessToken}s` } = body
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(String(lifetime))?.[1])
  if (!(seconds > 0 && seconds <= LONGEST_SECONDS.accessToken)) {
    throw apiError(400, 'Request contains an invalid argument: lifetime.')
  }
  const expiresAtMs = now() + seconds * 1000
  const token = await createAccessToken(keys, { principal: target, scopes, expiresAtMs })
  return { accessToken: token, expireTime: new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z') }
}

function strings(body: Body, name: string): string[] {
  const value = body[name] ?? []
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw apiError(400, `Invalid value at '${name}' (TYPE_STRING)`)
}
