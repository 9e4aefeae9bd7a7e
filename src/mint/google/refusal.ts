/** A refusal of Google's, in words that can be shown (docs/minting.md, "Refusals"). */

import { parseJson } from '../../core/json.ts'
import { withoutSecrets } from '../../core/secrets.ts'

/** A refusal that does not pass by itself. Keeps its words alone, in one of the two forms of Google's hosts. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly host: string
  readonly status: number
  /** OAuth's form, of oauth2 and sts. */
  readonly oauth: { error: string; description: string; subtype: string } | undefined
  /** Google API's form. */
  readonly api: { message: string; reasons: readonly string[]; metadata: Record<string, unknown> } | undefined
  /** The words, for people; empty where there are none. */
  readonly reason: string

  constructor(host: string, status: number, body: unknown) {
    super(`${host} refused with ${status}`)
    this.host = host
    this.status = status
    // What is fetched from a URL comes as text.
    const data = asObject(typeof body === 'string' ? parseJson(body) : body)
    const error = asObject(data?.error)
    this.oauth =
      typeof data?.error === 'string'
        ? {
            error: data.error,
            description: String(data.error_description ?? ''),
            subtype: String(data.error_subtype ?? ''),
          }
        : undefined
    this.api = error === undefined ? undefined : readApiError(error)
    this.reason = plain(wordsOf(this, data?.message ?? body))
  }
}

function wordsOf({ oauth, api }: Pick<Refusal, 'oauth' | 'api'>, other: unknown): string {
  if (oauth !== undefined) return `${oauth.error} ${oauth.description}`
  if (api !== undefined) return api.message
  return typeof other === 'string' && !/^\s*</.test(other) ? other : ''
}

function readApiError(error: Record<string, unknown>): Refusal['api'] {
  const details = Array.isArray(error.details) ? error.details.map(asObject) : []
  return {
    message: String(error.message ?? ''),
    reasons: details.flatMap((detail) => (typeof detail?.reason === 'string' ? [detail.reason] : [])),
    metadata: Object.assign({}, ...details.map((detail) => asObject(detail?.metadata))),
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

/** Long words, and before them the one that an administrator looks for. */
const LONG = /(vpcServiceControlsUniqueIdentifier:\s?[\w-]{1,100})|[\w.~+/=:@?&%-]{40,}/g
const NAMES =
  /^(?:https?:\/\/|\/\/[\w.-]+\/|(?:projects|folders|organizations|locations|constraints)\/|principal(?:Set)?:|[\w.+-]+@[\w.-]+$)/

/** Words from outside, on one line and without long words that could be a token. */
export function plain(words: string): string {
  return withoutSecrets(words.replace(/[\s\p{C}]+/gu, ' ').trim(), '...')
    .replace(LONG, (run, id?: string) => id ?? (NAMES.test(run) ? run.replace(/[\w~+%-]{40,}/g, '...') : '...'))
    .slice(0, 300)
    .replace(/(?<!\.)\.$/, '')
}
