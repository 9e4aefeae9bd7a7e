import { type Answer, page } from './answers.ts'
import type { Exchange, Handler } from './http.ts'
import { projectNumber, projectOf, type World } from './world.ts'

export const METADATA = 'metadata.google.internal'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const HEADERS = { 'Metadata-Flavor': 'Google', Server: 'Metadata Server for VM' }

/** The machine behind the metadata server; without an e-mail address it has no service account. */
export interface Machine {
  email: string | undefined
}

/** A real machine's metadata server, over plain HTTP (docs/wire.md, "Service accounts"). */
export function createMetadata(world: World, machine: Machine): Handler {
  return async (exchange) => {
    const { method, headers, url } = exchange
    if (method !== 'GET' && method !== 'HEAD') throw page(405, 'The request method is inappropriate for this URL.')
    const flavored = headers['metadata-flavor'] === 'Google' || url.pathname === '/'
    if (!flavored || 'x-forwarded-for' in headers) {
      throw page(403, `Your client does not have permission to get URL <code>${url.pathname}</code> from this server.`)
    }
    const answer = await leaf(world, machine, exchange)
    return { ...answer, headers: HEADERS }
  }
}

async function leaf(world: World, { email }: Machine, { url, call }: Exchange): Promise<Answer> {
  const path = url.pathname.replace(/^\/computeMetadata\/v1\//, '')
  if (url.pathname === '/') return plain('computeMetadata/\n')
  if (/^instance\/?$/.test(path)) return plain('service-accounts/\n')
  if (email !== undefined && path === 'project/project-id') return plain(projectOf(email))
  const [, name, key] = /^instance\/service-accounts\/([^/]+)\/(token|identity|email)$/.exec(path) ?? []
  if (key === undefined || (name !== 'default' && name !== email)) {
    throw page(404, 'The requested URL was not found on this server.')
  }
  call.grant = `metadata-${key}`
  if (email === undefined) {
    const error_description = 'Service account not enabled on this instance'
    return html(404, JSON.stringify({ error: 'invalid_request', error_description }))
  }
  call.principal = email
  if (key === 'email') return plain(email)
  const { project, uniqueId } = world.createAccount(email)
  if (key === 'token') {
    const access_token = world.issueAccessToken({ principal: email, scopes: [SCOPE], consumer: project }, 3599)
    const body = JSON.stringify({ access_token, expires_in: 3599, token_type: 'Bearer' })
    return { status: 200, type: 'application/json', body }
  }
  const audience = url.searchParams.get('audience')
  if (!audience) return html(400, 'non-empty audience parameter required')
  call.audience = audience
  const claims = { aud: audience, azp: uniqueId, sub: uniqueId }
  if (url.searchParams.get('format') !== 'full') return html(200, await world.issueIdToken(claims))
  const compute_engine = {
    project_id: project,
    project_number: Number(projectNumber(project)),
    zone: 'europe-west1-b',
    instance_id: '152986662232938449',
    instance_name: 'vm',
    instance_creation_timestamp: 1480102500,
  }
  return html(200, await world.issueIdToken({ ...claims, email, email_verified: true, google: { compute_engine } }))
}

function plain(body: string): Answer {
  return { status: 200, type: 'application/text', body }
}

function html(status: number, body: string): Answer {
  return { status, type: 'text/html', body }
}
