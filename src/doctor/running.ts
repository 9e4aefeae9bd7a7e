/** Asks a running sidemint before anything else: only it knows what it was started with. */

import { readErrorBody } from '../core/errors.ts'
import { readClaims } from '../core/token.ts'
import { type Finding, fail, ok } from './finding.ts'
import { AUDIENCE } from './mints.ts'
import { findPast } from './past.ts'
import { findRefused } from './refused.ts'

/** On this host and in this stack a server answers at once. Not for mints, which may take ten seconds. */
const ANSWER_TIMEOUT_MS = 2_000
const MINT_TIMEOUT_MS = 15_000

const CHECK = 'server'
const V1 = '/computeMetadata/v1'

export interface Running {
  findings: Finding[]
  /** What is wrong with the calls that it saw: what follows from the faults that other checks find. */
  calls: Finding[]
  /** It gave a token. */
  gives: boolean
}

/** Undefined where no sidemint answers at that URL. */
export async function askRunning(url: string): Promise<Running | undefined> {
  if ((await whoAnswers(new URL(url).host)) !== 'sidemint') return undefined
  try {
    const [project, email, unready, token, requests, state] = await Promise.all([
      tell(url, `${V1}/project/project-id`),
      tell(url, `${V1}/instance/service-accounts/default/email`),
      findUnready(url),
      askToken(url),
      tell(url, '/_sidemint/requests'),
      tell(url, '/_sidemint/state'),
    ])
    const whose = email === undefined ? 'it has no identity for whoever asks from here' : `it speaks for ${email}`
    const known = ok(
      CHECK,
      `a sidemint answers at ${url}: ${whose}, in the project ${project ?? 'that it does not tell'}`,
    )
    const failures = [token, unready].filter((finding) => finding?.status === 'fail')
    const told = failures.filter((finding, at) => failures.findIndex((each) => each?.code === finding?.code) === at)
    return {
      findings: [known, ...(token?.status === 'ok' ? [token] : []), ...told].filter((finding) => finding !== undefined),
      calls:
        requests === undefined || state === undefined
          ? []
          : [...findRefused(url, requests, state), ...findPast(requests, state)],
      gives: token?.status === 'ok',
    }
  } catch (error) {
    const { name } = error as Error
    const finding = fail(
      CHECK,
      `a sidemint listens at ${url} and does not answer (${name})`,
      'stop it, and start it again',
    )
    return { findings: [finding], calls: [], gives: false }
  }
}

/** Its own readiness: whether its last mint failed for good, or its clock is off. */
async function findUnready(url: string): Promise<Finding | undefined> {
  const response = await get(url, '/_sidemint/ready', ANSWER_TIMEOUT_MS)
  const body = (await response.text()).trim()
  if (response.ok) return undefined
  const [, code = 'INTERNAL', fix = 'read its log'] = /^([A-Z_]+): (.*)$/s.exec(body) ?? []
  return { ...fail(CHECK, 'it is not ready: its last mint failed, or its clock is off', fix), code }
}

/** Undefined where there is no account to ask for. */
async function askToken(url: string): Promise<Finding | undefined> {
  const startedAtMs = Date.now()
  const query = new URLSearchParams({ audience: AUDIENCE, format: 'full' })
  const path = `${V1}/instance/service-accounts/default/identity?${query}`
  const response = await get(url, path, MINT_TIMEOUT_MS)
  const body = await response.text()
  if (response.ok) {
    const claims = readClaims(body) ?? {}
    return { ...ok(CHECK, `it gave an ID token as ${claims.email} in ${Date.now() - startedAtMs} ms`), claims }
  }
  const refusal = readErrorBody(body)
  if (refusal === undefined) return undefined
  const { code, message, fix } = refusal
  if (code === 'AUDIENCE_NOT_ALLOWED') return ok(CHECK, `no token was tried: ${message}`)
  return { ...fail(CHECK, `it gives no ID token: ${message}`, fix), code }
}

async function tell(url: string, path: string): Promise<string | undefined> {
  const response = await get(url, path, ANSWER_TIMEOUT_MS)
  const body = await response.text()
  return response.ok ? body : undefined
}

function get(url: string, path: string, timeoutMs: number): Promise<Response> {
  return fetch(`${url}${path}`, {
    headers: { 'Metadata-Flavor': 'Google' },
    signal: AbortSignal.timeout(timeoutMs),
    redirect: 'manual',
  })
}

/** `sidemint`, `Google` for another metadata server, or why neither. */
export async function whoAnswers(address: string): Promise<string> {
  try {
    const response = await get(`http://${address}`, '/_sidemint/health', ANSWER_TIMEOUT_MS)
    const body = await response.text()
    if (response.headers.get('metadata-flavor') !== 'Google') return 'something else listens there'
    return response.status === 200 && body === 'ok\n' ? 'sidemint' : 'Google'
  } catch (error) {
    const { cause, name, message } = error as Error & { cause?: { code?: string } }
    return name === 'TimeoutError' ? 'no answer' : (cause?.code ?? message)
  }
}
