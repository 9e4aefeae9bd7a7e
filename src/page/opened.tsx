/** A row, opened: what the token says, what the gate wants, and what to do. */

import type { Lines } from '../core/events.ts'
import type { Check, Hop } from '../inspector/rows.ts'
import { shownValue } from '../inspector/shown-value.ts'
import { CopyButton, Line } from './copy.tsx'
import type { Entry } from './entries.ts'
import { ago, askedFor, asText, clock, counted, failedStep, wanted } from './words.ts'

interface Props {
  entry: Entry
  now: number
}

export function Opened({ entry, now }: Props) {
  const { address, at, lastAt, count, hop, asked } = entry
  const reason = hop?.reason || asked?.reason || ''
  return (
    <div class="opened">
      <p>
        <bdi>{entry.what}</bdi>,{' '}
        {count === 1 ? `once, at ${clock(at)}` : `${count} times from ${clock(at)} to ${clock(lastAt)}`}
      </p>
      {reason !== '' && <p class="reason">{reason}</p>}
      {hop !== undefined && <HopDetails entry={entry} hop={hop} now={now} />}
      {asked !== undefined && asked.hits > 0 && <p>{asked.hits} of them from the cache.</p>}
      {hop?.lines !== undefined && <ToCopy {...hop.lines} />}
      <p class="row-actions">
        <a href={`#${address}`}>#{address}</a> <CopyButton word="copy row" text={asText(entry)} label="as text" />
      </p>
    </div>
  )
}

function HopDetails({ entry, hop, now }: { entry: Entry; hop: Hop; now: number }) {
  const { token, claims, checks, cut } = hop
  return (
    <>
      {cut !== undefined && (
        <p class="reason">
          {counted(cut.count, 'answer')} broke off, the last one {ago(cut.lastAt, now)}: {cut.reason}
        </p>
      )}
      {hop.failed !== undefined && <p>First to fail: {failedStep(hop)}.</p>}
      {hop.code === 'PUBLIC' && <p>The service is public: no token is needed.</p>}
      <p>
        <bdi>{askedFor(entry, now)}</bdi>.
      </p>
      {token !== undefined && (
        <p>
          The token came from here: <bdi>{token.caller}</bdi> got it as <bdi>{token.identity}</bdi> for{' '}
          <bdi>{token.audience}</bdi> {ago(token.at, now)}.
        </p>
      )}
      {checks.length > 0 && <Checks hop={hop} />}
      {claims !== undefined && (
        <details>
          <summary>All claims</summary>
          <pre>{JSON.stringify(claims, null, 2)}</pre>
        </details>
      )}
    </>
  )
}

const VERDICTS = new Map<Check['good'], [mark: string, word: string]>([
  [true, ['✓', 'good']],
  [false, ['✗', 'not good']],
  [undefined, ['–', 'not looked at']],
])

function Checks({ hop }: { hop: Hop }) {
  return (
    <table>
      <caption class="hidden">What the token says, and what the gate wants</caption>
      <thead>
        <tr>
          <th scope="col">claim</th>
          <th scope="col">in the token</th>
          <th scope="col">the gate wants</th>
        </tr>
      </thead>
      <tbody>
        {hop.checks.map((check) => {
          const [mark, word] = VERDICTS.get(check.good) ?? []
          return (
            <tr key={check.claim} class={check.good === false ? 'bad' : ''}>
              <th scope="row">
                <span role="img" aria-label={word}>
                  {mark}
                </span>{' '}
                {check.claim}
              </th>
              <td>
                <bdi>{shownValue(check)}</bdi>
              </td>
              <td>
                <bdi>{wanted(hop, check.claim)}</bdi>
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

function ToCopy({ here, production }: Lines) {
  return (
    <>
      <h3>To let the account in, here</h3>
      <Line text={here} label="the line for the settings" />
      {production !== undefined && (
        <>
          <h3>and in production</h3>
          <Line text={production} label="the command for production" />
        </>
      )}
    </>
  )
}
