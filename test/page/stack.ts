/** Servers to look at: one whose gates are called, and one whose events are made, with callers of any name. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents, type GateEvent, type RequestEvent } from '../../src/core/events.ts'
import { startServer } from '../../src/server.ts'
import { startCli } from '../command-line.ts'
import { scratch, startService } from '../gate/process.ts'
import { ask, DEFAULT_ACCOUNT, FLAVOR } from '../http-client.ts'

export const account = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`
export const audience = (name: string) => `http://${name}:8080`
const member = (name: string) => `serviceAccount:${account(name)}`

/** `web` may call orders, and nobody may call ledger but billing. Whoever asks here is `web`. */
export async function startStack(t: ExecutionContext) {
  const { url: upstream } = await startService(t)
  const gates = [
    { host: 'orders', upstream, audience: [audience('orders')], invoker: [member('web')] },
    { host: 'ledger', upstream, audience: [audience('ledger')], invoker: [member('billing')] },
  ]
  const config = join(scratch, 'page.yaml')
  writeFileSync(
    config,
    JSON.stringify({ project: 'acme-dev', identities: [{ serviceAccount: account('web') }], gates }),
  )
  const flags = ['serve', '--source=local', '--port=0', '--gate-port=0', '--config', config]
  const server = await startCli<{ event: string; url: string; gateUrls: string[] }>(t, flags)
  const { url, gateUrls } = server.banner
  const tokenFor = (name: string) => ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${audience(name)}&format=full`)

  return {
    ...server,
    url,
    page: `${url}/_sidemint/`,
    /** Calls a service; with `wanted`, by a token for that one. */
    async call(host: string, path: string, wanted?: string): Promise<number> {
      const headers: Record<string, string> = { ...FLAVOR, Host: host }
      if (wanted !== undefined) headers.Authorization = `Bearer ${(await tokenFor(wanted)).body}`
      return (await ask(gateUrls[0] ?? '', path, { headers })).status
    },
  }
}

/** Who calls whom. */
export type Calls = Readonly<Record<string, readonly string[]>>

export const DEMO: Calls = { web: ['orders'], orders: ['billing', 'public'], billing: ['ledger'] }

/** Fifteen services with circles: every one calls the next two, the last ones the first. */
export const FIFTEEN: Calls = Object.fromEntries(
  Array.from({ length: 15 }, (_, at) => {
    const name = (place: number) => `service-with-a-long-name-${(place % 15) + 1}`
    return [name(at), [name(at + 1), name(at + 4)]]
  }),
)

/** A server with a gate before every service but `public`, and an identity for every caller but `web`. */
export async function startSeeded(t: ExecutionContext, calls: Calls, port = 0) {
  const names = [...new Set(Object.entries(calls).flatMap(([from, to]) => [from, ...to]))].sort()
  const fronted = names.filter((name) => !['web', 'public'].includes(name))
  const events = createEvents()
  const settings = settle({
    options: {
      port,
      gatePort: 0,
      source: 'local',
      project: 'acme-dev',
      identities: names.flatMap((name) => (name === 'web' ? [] : [{ serviceAccount: account(name), callers: [name] }])),
      gates: fronted.map((host) => ({ host, upstream: `http://${host}-app:8080`, ...wantsOf(host, calls) })),
    },
  })
  const server = await startServer({ settings, env: {}, events, frontGates: true })
  t.teardown(() => server.close())
  const { issuer } = server

  /** The caller asks for a token, and the gate decides. */
  function call(from: string, to: string, changes: Partial<GateEvent> = {}): GateEvent | undefined {
    const at = Date.now()
    if (from !== 'web') events.record(asking(from, to, at))
    if (!fronted.includes(to)) return undefined
    const isInvoker = calls[from]?.includes(to) === true && from !== 'web'
    const claims = { iss: issuer, aud: audience(to), email: account(from), exp: Math.floor(at / 1000) + 3600, sub: '1' }
    const { invoker, audience: audiences } = wantsOf(to, calls)
    const wants = { audiences, invokers: invoker, trust: [issuer], gcloudAudiences: true }
    const shared = {
      type: 'gate',
      at,
      caller: from,
      host: to,
      method: 'POST',
      path: `/${to}/17`,
      tookMs: 1,
      wants,
    } as const
    const token = { claims, principal: account(from), audience: audience(to), fp: '0a1b2c3d' }
    const outcome = isInvoker
      ? ({ ...token, decision: 'allow', code: 'INVOKER', upstreamStatus: 200, reason: '' } as const)
      : ({ ...MISSING, ...(from === 'web' ? {} : { ...token, ...NO_INVOKER }) } as const)
    const event: GateEvent = { ...shared, ...outcome, ...changes }
    events.record(event)
    return event
  }

  return { server, events, page: `${server.url}/_sidemint/`, call, names }
}

const MISSING = {
  decision: 'refuse',
  status: 403,
  code: 'TOKEN_MISSING',
  principal: '',
  audience: '',
  reason: 'no token came with the request. Fix: send an ID token for an audience of this service',
} as const

const NO_INVOKER = {
  code: 'NOT_AN_INVOKER',
  reason: 'the account may not call this service. Fix: add it to `invoker:` of this gate',
  lines: {
    here: `invoker: [${['billing', 'operator', 'web', 'orders'].map(member).join(', ')}]`,
    production: `gcloud run services add-iam-policy-binding ledger --member=${member('web')} --role=roles/run.invoker`,
  },
} as const

function wantsOf(host: string, calls: Calls) {
  const callers = Object.keys(calls).filter((name) => name !== 'web' && calls[name]?.includes(host))
  return { audience: [audience(host)], invoker: [...callers, 'operator'].map(member) }
}

function asking(from: string, to: string, at: number): RequestEvent {
  const result = { result: 'mint', status: 200, tookMs: 2, expiresAtMs: at + 3_600_000 } as const
  return {
    type: 'request',
    at,
    kind: 'id',
    audience: audience(to),
    scopes: [],
    identity: account(from),
    caller: from,
    ...result,
  }
}
