/** A server with a control secret, in this process, as the tests of the control API ask it. */

import type { ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { startServer } from '../../src/server.ts'
import { type AskOptions, ask, DEFAULT_ACCOUNT } from '../http-client.ts'

export const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
export const SECRET = 'correct-horse-battery'

export async function startControlled(
  t: ExecutionContext,
  own: { controlSecret: string | undefined } = { controlSecret: SECRET },
) {
  const upstream = 'http://127.0.0.1:1'
  const gates = [
    { host: 'shop', upstream, invoker: ['allUsers'] },
    { host: 'ledger', upstream, audience: ['http://ledger:8080'], invoker: [`serviceAccount:${EMAIL}`] },
  ]
  const options = { port: 0, source: 'local', serviceAccount: EMAIL, gates, gatePort: 0 }
  const server = await startServer({ settings: settle({ options }), env: {}, frontGates: true, ...own })
  t.teardown(() => server.close())
  const order = async (path: string, body?: unknown, { method = 'POST', headers = {} }: AskOptions = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${server.url}/_sidemint/${path}`, {
      method,
      headers: { Authorization: `Bearer ${SECRET}`, ...headers },
      ...(body === undefined ? {} : { body: text }),
    })
    const answer = await response.text()
    return { status: response.status, headers: response.headers, text: answer, json: () => JSON.parse(answer) }
  }
  return {
    server,
    order,
    identity: (audience: string) => ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`),
    get: async (path: string) => JSON.parse((await ask(server.url, `/_sidemint/${path}`)).body),
  }
}
