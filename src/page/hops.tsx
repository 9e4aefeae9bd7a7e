/** Calls, newest first; equal ones are one row. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { Line } from './copy.tsx'
import { type Entry, type Filter, keeps } from './entries.ts'
import { Opened } from './opened.tsx'
import { hashOf, type Place } from './place.ts'
import type { Data } from './store.ts'
import { ago, clock, shellLine, tokenLine } from './words.ts'

/** What fits is quick to draw; the rest is one click away. */
const SHOWN = 100

interface Props {
  data: Data
  entries: readonly Entry[]
  place: Place
  now: number
}

export function HopsView({ data, entries, place, now }: Props) {
  const { held, fresh, hold, release, catchUp } = useHeld(entries)
  const [most, setMost] = useState(SHOWN)
  const kept = held.filter((entry) => keeps(place.filter, entry) || entry.address === place.row)
  const at = kept.findIndex(({ address }) => address === place.row)
  const shown = kept.slice(0, Math.max(most, at + 1))
  const known = at >= 0 || place.row === ''
  return (
    <section
      aria-labelledby="hops-title"
      onPointerEnter={hold}
      onFocusIn={hold}
      onPointerLeave={release}
      onFocusOut={release}
    >
      <h2 id="hops-title" class="hidden">
        Hops
      </h2>
      <Filters entries={entries} place={place} />
      <p class="new" aria-live="polite">
        {fresh > 0 && (
          <button type="button" onClick={catchUp}>
            {fresh} new
          </button>
        )}
      </p>
      {known || <p class="note">This row is not here any more, or not yet: it shows up when the call comes again.</p>}
      {entries.length === 0 && <FirstSteps />}
      {entries.length > 0 && kept.length === 0 && <p class="note">No row passes the filter.</p>}
      <ol class="hops">
        {shown.map((entry) => (
          <Row key={entry.address} entry={entry} place={place} now={now}>
            <Opened entry={live(entries, entry)} now={now} />
          </Row>
        ))}
      </ol>
      {kept.length > shown.length && (
        <button type="button" onClick={() => setMost(most + SHOWN)}>
          {kept.length - shown.length} more
        </button>
      )}
      {data.forgotten > 0 && <p class="note">{data.forgotten} older rows have gone: the newest are kept.</p>}
    </section>
  )
}

const live = (entries: readonly Entry[], { address, ...entry }: Entry): Entry =>
  entries.find((one) => one.address === address) ?? { address, ...entry }

/** The list holds still while somebody points at it or is in it by keyboard. */
function useHeld(entries: readonly Entry[]) {
  const [isHeld, setHeld] = useState(false)
  const list = useRef(entries)
  if (!isHeld || list.current.length === 0) list.current = entries
  const held = list.current
  const sum = (all: readonly Entry[]) => all.reduce((total, { count }) => total + count, 0)
  const release = ({ currentTarget, type }: Event) => {
    const section = currentTarget as HTMLElement
    requestAnimationFrame(() => {
      const isIn = section.matches(':hover') || section.querySelector(':focus-visible') !== null
      if (!isIn || type === 'pointerleave') setHeld(section.querySelector(':focus-visible') !== null)
    })
  }
  return {
    held,
    fresh: Math.max(0, sum(entries) - sum(held)),
    hold: () => setHeld(true),
    release,
    catchUp() {
      list.current = entries
      setHeld(false)
    },
  }
}

function Row({
  entry,
  place,
  now,
  children,
}: {
  entry: Entry
  place: Place
  now: number
  children: preact.JSX.Element
}) {
  const { address, at, lastAt, count, caller, service, what, status, code, refused, hop } = entry
  const isOpen = place.row === address
  const item = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (isOpen) item.current?.scrollIntoView({ block: 'nearest' })
  }, [isOpen])
  return (
    <li id={`row-${address}`} ref={item} class={refused ? 'refused' : ''}>
      <a href={hashOf({ ...place, row: isOpen ? '' : address })} aria-expanded={isOpen}>
        <time dateTime={new Date(lastAt).toISOString()} title={`first ${clock(at)}`}>
          {clock(lastAt)}
        </time>
        <span class="who">
          <bdi>{cut(caller)}</bdi>
          {hop !== undefined && (
            <>
              {' → '}
              <bdi>{cut(service)}</bdi>
            </>
          )}
        </span>
        <bdi class="what">{cut(what)}</bdi>
        <span class="outcome">
          {status ?? 'left'} <bdi>{code}</bdi>
          {hop?.cut !== undefined && ', broke off'}
        </span>
        <span class="times">
          {count > 1 && `×${count}, last `}
          {ago(lastAt, now)}
        </span>
      </a>
      {isOpen && children}
    </li>
  )
}

/** What is long is whole in the opened row. */
function cut(text: string): string {
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

function Filters({ entries, place }: { entries: readonly Entry[]; place: Place }) {
  const { filter } = place
  const services = sorted(
    entries.flatMap(({ caller, service }) => [caller, service]),
    filter.service,
  )
  const accounts = sorted(
    entries.map(({ account }) => account),
    filter.account,
  )
  const set = (changes: Partial<Filter>) => {
    location.hash = hashOf({ ...place, filter: { ...filter, ...changes } })
  }
  return (
    <form class="filters" aria-label="Filter">
      <Choice label="Service" all={services} chosen={filter.service} choose={(service) => set({ service })} />
      <Choice label="Identity" all={accounts} chosen={filter.account} choose={(account) => set({ account })} />
      <label>
        <input
          type="checkbox"
          checked={filter.refused}
          onChange={({ currentTarget }) => set({ refused: currentTarget.checked })}
        />{' '}
        refused only
      </label>
    </form>
  )
}

interface ChoiceProps {
  label: string
  all: readonly string[]
  chosen: string
  choose: (one: string) => void
}

function Choice({ label, all, chosen, choose }: ChoiceProps) {
  return (
    <label>
      {label}{' '}
      <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        <option value="">all</option>
        {all.map((one) => (
          <option key={one} value={one} selected={one === chosen}>
            {cut(one)}
          </option>
        ))}
      </select>
    </label>
  )
}

function sorted(names: readonly string[], chosen: string): string[] {
  return [...new Set([...names, chosen])].filter((name) => name !== '').sort()
}

function FirstSteps() {
  const server = location.origin
  return (
    <div class="first">
      <p>Nothing has happened yet. Point a program at this server, and call a service:</p>
      <Line text={shellLine(server)} label="the line that points a shell at this server" />
      <p>Or ask for one token, which shows up here:</p>
      <Line text={tokenLine(server)} label="the line that asks for a token" />
      <p>
        Where sidemint stands before the services (<code>gates:</code> in sidemint.yaml), each call is a row here, with
        why it was refused.
      </p>
    </div>
  )
}
