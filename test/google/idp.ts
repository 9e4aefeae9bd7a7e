import jwt from 'jsonwebtoken'
import { page } from './answers.ts'
import type { Handler } from './http.ts'
import { projectNumber, type World } from './world.ts'

export const IDP = 'idp.example.com'

/** A provider of a workload identity pool, and what signs in there. */
export interface WorkloadProvider {
  /** The provider's full resource name, `//iam.googleapis.com/projects/…`. */
  audience: string
  /** The member to grant things to: `principal://…`. */
  principal(subject: string): string
  /** A JWT of the identity provider; claims given replace the right ones. */
  subjectToken(subject: string, claims?: Record<string, unknown>): string
  /** A subject token that is not a JWT (`urn:ietf:params:oauth:token-type:saml2`). */
  opaqueToken(subject: string): string
}

export async function createProvider(world: World, project: string, pool = 'ci'): Promise<WorkloadProvider> {
  const number = projectNumber(project)
  const poolPath = `projects/${number}/locations/global/workloadIdentityPools/${pool}`
  const resource = `//iam.googleapis.com/${poolPath}/providers/idp`
  const key = world.providers.get(resource)?.key ?? (await world.newKey())
  const provider = world.providers.get(resource) ?? {
    projectNumber: number,
    pool,
    issuer: `https://${IDP}`,
    audiences: [resource, `https:${resource}`],
    key,
    opaque: new Map<string, string>(),
  }
  world.providers.set(resource, provider)
  return {
    audience: resource,
    principal: (subject) => `principal://iam.googleapis.com/${poolPath}/subject/${subject}`,
    subjectToken(sub, claims = {}) {
      const iat = Math.floor(world.now() / 1000)
      const payload = { iss: provider.issuer, aud: resource, sub, iat, exp: iat + 3600, ...claims }
      return jwt.sign(payload, provider.key.privateKey, { algorithm: 'RS256', keyid: provider.key.kid })
    },
    opaqueToken(subject) {
      const token = world.newSecret('opaque-')
      provider.opaque.set(token, subject)
      return token
    },
  }
}

/** Where workloads fetch their subject token, a new one each time; it wants the header `Metadata: True`. */
export function createIdp(tokens: Map<string, () => string>): Handler {
  return ({ url, headers, call }) => {
    const token = tokens.get(url.pathname)
    if (!token) throw page(404, 'The requested URL was not found on this server.')
    if (headers.metadata !== 'True') throw page(400, 'Required metadata header not specified.')
    call.grant = 'subject-token'
    return { status: 200, body: { access_token: token() } }
  }
}
