/** Failures that Google's hosts have too, in Google's form and words. */

import type { JsonAnswer } from '../http/hosts.ts'

/** Thrown below the routes, answered by them. */
export class GoogleError extends Error {
  override readonly name = 'GoogleError'
  readonly answer: JsonAnswer

  constructor(message: string, answer: JsonAnswer) {
    super(message)
    this.answer = answer
  }
}

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  413: 'INVALID_ARGUMENT',
  503: 'UNAVAILABLE',
}

interface ErrorInfo {
  reason: string
  domain: string
  metadata: Readonly<Record<string, string>>
}

/** The form of Google's APIs: google.rpc.Status, with a google.rpc.ErrorInfo where one is given. */
export function apiError(
  code: number,
  message: string,
  info?: ErrorInfo,
  headers?: JsonAnswer['headers'],
): GoogleError {
  const details = info && { details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...info }] }
  const body = { error: { code, message, status: STATUSES[code] ?? 'UNKNOWN', ...details } }
  return new GoogleError(message, { status: code, body, ...(headers && { headers }) })
}

/** The form of OAuth 2 (RFC 6749 §5.2), with the status that tokeninfo has. */
export function oauthError(error: string, description: string): GoogleError {
  return new GoogleError(description, { status: 400, body: { error, error_description: description } })
}
