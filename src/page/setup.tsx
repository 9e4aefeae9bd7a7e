/** Who mints and why, and the lines that point programs here. */

import type { ComponentChildren } from 'preact'
import type { GateState, IdentityState, ServerState } from '../inspector/rows.ts'
import { Line } from './copy.tsx'
import { isServer } from './entries.ts'
import type { Data } from './store.ts'
import { ago, clock, counted, minter, shellLine, tokenLine, variablesLine } from './words.ts'

export function SetupView({ data, now }: { data: Data; now: number }) {
  const { state, aheadMs } = data
  if (state === undefined) return <p class="note">Connecting…</p>
  const { file, appliedAt } = state.settings
  return (
    <section aria-labelledby="setup-title" class="setup">
      <h2 id="setup-title" class="hidden">
        Setup
      </h2>
      <dl>
        <Fact name="Mints">
          {minter(state)}
          {isServer(state) && `: ${state.why}`}
        </Fact>
        {isServer(state) && <ServerFacts state={state} />}
        <Fact name="Clock">{clockWords(aheadMs)}</Fact>
        <Fact name="Settings">
          <bdi>{file ?? 'no file'}</bdi>, applied at {clock(appliedAt)} ({ago(appliedAt, now)})
        </Fact>
        <Fact name="Version">{state.version}</Fact>
      </dl>
      {isServer(state) && <Identities state={state} />}
      <Gates gates={state.gates} />
      {isServer(state) && <Cache cache={state.cache} />}
    </section>
  )
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function ServerFacts({ state }: { state: ServerState }) {
  const { login, failing, issuer, advice } = state
  const about = login === null ? 'none is needed' : 'about' in login ? login.about : `${login.code}. Fix: ${login.fix}`
  return (
    <>
      <Fact name="Login">{about}</Fact>
      {failing !== null && (
        <Fact name="Fails">
          <strong class="bad">{failing.code}</strong> Fix: {failing.fix}
        </Fact>
      )}
      {issuer !== null && <Fact name="Issuer">{issuer}</Fact>}
      {advice.map((text) => (
        <Fact key={text} name="Advice">
          {text}
        </Fact>
      ))}
    </>
  )
}

/** Requests take time, so a second or two is none of the clock's. */
function clockWords(aheadMs: number): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1_000)
  if (seconds < 3) return 'the server’s and this browser’s agree'
  return `the server’s is ${counted(seconds, 'second')} ${aheadMs > 0 ? 'ahead of' : 'behind'} this browser’s`
}

function Identities({ state }: { state: ServerState }) {
  return (
    <>
      <h3>Identities</h3>
      {state.identities.map((identity) => (
        <Identity key={identity.email} identity={identity} />
      ))}
    </>
  )
}

function Identity({ identity }: { identity: IdentityState }) {
  const { email, callers, hosts, port, isDefault } = identity
  const name = email ?? 'the login’s own account'
  const whom = [
    ...(isDefault ? ['everybody else'] : []),
    ...(callers.length === 0 ? [] : [`callers ${callers.join(', ')}`]),
    ...(hosts.length === 0 ? [] : [`hosts ${hosts.join(', ')}`]),
    ...(port === null ? [] : [`port ${port}`]),
  ]
  return (
    <article>
      <h4>
        <bdi>{name}</bdi>
      </h4>
      <p>for {whom.join('; ')}</p>
      {(isDefault || port !== null) && <Pointers name={name} port={port} />}
    </article>
  )
}

/** A program that asks there speaks as this identity. */
function Pointers({ name, port }: { name: string; port: number | null }) {
  const host = port === null ? location.host : `${location.hostname}:${port}`
  const address = host.includes(':') ? host : `${host}:80`
  const server = `http://${address}`
  return (
    <>
      <Line text={shellLine(server)} label={`the line for a shell as ${name}`} />
      <Line text={variablesLine(address)} label={`the variables for an IDE as ${name}`} />
      <Line text={tokenLine(server)} label={`the line that asks for a token as ${name}`} />
    </>
  )
}

function Gates({ gates }: { gates: readonly GateState[] }) {
  if (gates.length === 0) return null
  return (
    <>
      <h3>Gates</h3>
      {gates.map(({ host, port, upstream, audiences, invokers, policy, mode }) => (
        <article key={`${host} ${port}`}>
          <h4>
            <bdi>{host ?? 'any host'}</bdi> → <bdi>{upstream}</bdi>
          </h4>
          <p>
            admits <bdi>{[...invokers, ...(policy === null ? [] : [`whom ${policy} names`])].join(', ')}</bdi> with
            tokens for <bdi>{audiences.join(', ')}</bdi>
            {mode === 'report' && '; refuses nobody (mode report)'}
          </p>
        </article>
      ))}
    </>
  )
}

function Cache({ cache }: { cache: ServerState['cache'] }) {
  return (
    <details>
      <summary>Cache: {counted(cache.count, 'token')}</summary>
      <ul class="cache">
        {cache.stored.map(({ kind, principal, wanted, ageMs }) => (
          <li key={`${kind} ${principal} ${wanted}`}>
            <bdi>{wanted.slice(0, 300)}</bdi> as <bdi>{principal || 'the login’s own account'}</bdi>,{' '}
            {Math.round(ageMs / 1000)} s old
          </li>
        ))}
      </ul>
    </details>
  )
}
