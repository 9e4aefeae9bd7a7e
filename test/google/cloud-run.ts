import type { Handler } from './http.ts'

/** A service's host under run.app: it ends TLS and hands the request on to a gate, which is Cloud Run's front end. */
export function createCloudRun(gateUrl: string): Handler {
  return async ({ method, url, headers, body, call }) => {
    call.grant = 'run'
    const { authorization } = headers
    const response = await fetch(new URL(url.pathname + url.search, gateUrl), {
      method,
      headers: authorization === undefined ? {} : { authorization },
      ...(body === '' ? {} : { body }),
    })
    return { status: response.status, body: await response.text(), type: response.headers.get('content-type') ?? '' }
  }
}
