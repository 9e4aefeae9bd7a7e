/** An answer as a value; bytes are sent as they are, any other object becomes JSON. */
export interface Answer {
  status: number
  body: string | Uint8Array | object
  /** Default: Google's JSON type. */
  type?: string
  headers?: Record<string, string>
}

export const JSON_TYPE = 'application/json; charset=utf-8'
export const HTML_TYPE = 'text/html; charset=UTF-8'

/** Thrown to refuse a request in Google's words. */
export class Refusal extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super(`refused with ${answer.status}`)
    this.answer = answer
  }
}

/** The error form of oauth2 and sts (RFC 6749 §5.2). */
export function oauthError(status: number, error: string, description: string, more: object = {}): Refusal {
  return new Refusal({ status, body: { error, error_description: description, ...more } })
}

export function invalidGrant(description: string): Refusal {
  return oauthError(400, 'invalid_grant', description)
}

const STATUSES: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
}

/** The error form of Google's APIs (google.rpc.Status). */
export function apiError(code: number, message: string, details?: object[]): Refusal {
  const error = { code, message, status: STATUSES[code] ?? 'UNKNOWN', ...(details && { details }) }
  return new Refusal({ status: code, body: { error } })
}

/** The detail of an API error that names its reason (google.rpc.ErrorInfo, google.aip.dev/193). */
export function errorInfo(reason: string, metadata: Record<string, string>, domain = 'googleapis.com'): object {
  return { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain, metadata }
}

export function page(status: number, sentence: string): Refusal {
  const body = `<!DOCTYPE html>\n<html lang=en>\n<title>Error ${status}</title>\n<p><b>${status}.</b> ${sentence}\n`
  return new Refusal({ status, body, type: HTML_TYPE })
}
