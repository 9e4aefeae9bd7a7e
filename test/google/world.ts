import { createHash, type KeyObject, randomBytes } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { createKeyRing, type RsaKey } from './keys.ts'

/** What the fake Google knows: who exists, who may do what, which tokens live. */
export interface World {
  /** The domain of its hosts, `googleapis.com` for Google's own: what lives in one universe is unknown in another. */
  universe: string
  /** Google's clock, in epoch ms. */
  now(): number
  newKey(): Promise<RsaKey>
  signingKey(): Promise<RsaKey>
  /** Google's own key of an account, by which signBlob signs. */
  managedKey(email: string): Promise<RsaKey>
  accounts: Map<string, ServiceAccount>
  clients: Map<string, string>
  logins: Map<string, Login>
  providers: Map<string, Provider>
  accessTokens: Map<string, AccessToken>
  disabledApis: Set<string>
  reauth: Set<string>
  /** Everything that must never be seen in a log or an answer: refresh tokens, client secrets, keys, access tokens. */
  secrets: Set<string>
  account(emailOrId: string): ServiceAccount | undefined
  createAccount(email: string): ServiceAccount
  grant(member: string, permission: string, target: string): void
  ungrant(member: string, permission: string, target: string): void
  can(principal: string, permission: string, target: string): boolean
  newSecret(prefix: string): string
  issueAccessToken(token: Omit<AccessToken, 'expiresAtMs'>, lifetimeSeconds: number): string
  issueIdToken(claims: Record<string, unknown>): Promise<string>
}

export interface ServiceAccount {
  email: string
  uniqueId: string
  project: string
  keys: KeyObject[]
}

/** A refresh token. `client` is the OAuth client that it was issued to. */
export interface Login {
  principal: string
  client: string
  scopes: string[]
  revoked: boolean
}

/** A workload identity provider, by its audience. */
export interface Provider {
  projectNumber: string
  pool: string
  issuer: string
  audiences: string[]
  key: RsaKey
  /** Subject tokens of other kinds than JWT: token to subject. */
  opaque: Map<string, string>
}

export interface AccessToken {
  principal: string
  scopes: string[]
  expiresAtMs: number
  /** The project that is charged where no quota project is named. */
  consumer: string | undefined
}

const ROLES: Record<string, string[]> = {
  'roles/iam.serviceAccountOpenIdTokenCreator': ['iam.serviceAccounts.getOpenIdToken'],
  'roles/iam.serviceAccountTokenCreator': [
    'iam.serviceAccounts.getOpenIdToken',
    'iam.serviceAccounts.getAccessToken',
    'iam.serviceAccounts.implicitDelegation',
    'iam.serviceAccounts.signBlob',
  ],
  'roles/iam.workloadIdentityUser': ['iam.serviceAccounts.getOpenIdToken', 'iam.serviceAccounts.getAccessToken'],
  'roles/serviceusage.serviceUsageConsumer': ['serviceusage.services.use'],
}

export function createWorld(now: () => number, universe = 'googleapis.com', secrets = new Set<string>()): World {
  const newKey = createKeyRing()
  const accounts = new Map<string, ServiceAccount>()
  const accessTokens = new Map<string, AccessToken>()
  const grants = new Set<string>()
  let signing: Promise<RsaKey> | undefined

  const signingKey = () => {
    signing ??= newKey()
    return signing
  }
  const managed = new Map<string, Promise<RsaKey>>()
  const managedKey = (email: string) => {
    const key = managed.get(email) ?? newKey()
    managed.set(email, key)
    return key
  }
  const createAccount = (email: string) => {
    const known = accounts.get(email)
    if (known) return known
    const account = { email, uniqueId: numericId(email), project: projectOf(email), keys: [] }
    accounts.set(email, account)
    return account
  }
  const newSecret = (prefix: string) => {
    const secret = prefix + randomBytes(32).toString('base64url')
    secrets.add(secret)
    return secret
  }

  return {
    universe,
    now,
    newKey,
    signingKey,
    managedKey,
    accounts,
    clients: new Map(),
    logins: new Map(),
    providers: new Map(),
    accessTokens,
    disabledApis: new Set(),
    reauth: new Set(),
    secrets,
    account: (name) => accounts.get(name) ?? [...accounts.values()].find((account) => account.uniqueId === name),
    createAccount,
    grant(member, permission, target) {
      if (target.includes('@')) createAccount(target)
      for (const key of grantKeys(member, permission, target)) grants.add(key)
    },
    ungrant(member, permission, target) {
      for (const key of grantKeys(member, permission, target)) grants.delete(key)
    },
    can(principal, permission, target) {
      const resources = target.includes('@') ? [target, projectNumber(projectOf(target))] : [projectNumber(target)]
      return resources.some((resource) => grants.has(`${principal} ${permission} ${resource}`))
    },
    newSecret,
    issueAccessToken(token, lifetimeSeconds) {
      const value = newSecret('ya29.')
      accessTokens.set(value, { ...token, expiresAtMs: now() + lifetimeSeconds * 1000 })
      return value
    },
    async issueIdToken(claims) {
      const { privateKey, kid } = await signingKey()
      const iat = Math.floor(now() / 1000)
      const payload = { ...claims, iss: 'https://accounts.google.com', iat, exp: iat + 3600 }
      return jwt.sign(payload, privateKey, { algorithm: 'RS256', keyid: kid })
    },
  }
}

function grantKeys(member: string, permission: string, target: string): string[] {
  const principal = member.replace(/^(user|serviceAccount):/, '')
  const resource = target.includes('@') ? target : projectNumber(target)
  const permissions = ROLES[permission] ?? [permission]
  return permissions.map((each) => `${principal} ${each} ${resource}`)
}

/** `orders@acme-dev.iam.gserviceaccount.com` is an account of `acme-dev`. */
export function projectOf(email: string): string {
  return /@([^.]+)\.iam\.gserviceaccount\.com$/.exec(email)?.[1] ?? 'unknown-project'
}

/** A number as it is; for an id, a number that is always the same. */
export function projectNumber(project: string): string {
  return /^\d+$/.test(project) ? project : digits(project, 12)
}

/** The numeric id of a user or a service account (`sub`). */
export function numericId(email: string): string {
  return digits(email, 21)
}

function digits(text: string, length: number): string {
  const number = BigInt(`0x${createHash('sha256').update(text).digest('hex')}`).toString()
  return `1${number.slice(0, length - 1)}`
}
