/** The page: one sentence above three views. */

import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { entriesOf } from './entries.ts'
import { graphOf } from './graph.ts'
import { HopsView } from './hops.tsx'
import { MapView } from './map.tsx'
import { hashOf, type Place, readPlace, VIEWS } from './place.ts'
import { SetupView } from './setup.tsx'
import { type Data, EMPTY, Follower } from './store.ts'
import { minter, summary } from './words.ts'

const TITLES = { hops: 'Hops', map: 'Map', setup: 'Setup' }

function App() {
  const place = usePlace()
  const data = useData(place.view === 'setup')
  const now = useNow() + data.aheadMs
  useEffect(() => {
    if (place.row === '') scrollTo(0, 0)
  }, [place.view])
  const entries = useMemo(() => entriesOf(data), [data])
  const services = useMemo(() => graphOf(data), [data])
  return (
    <>
      <header>
        <p class="top">
          <strong>sidemint</strong>
          <span class={`minter ${data.state?.source ?? 'none'}`}>{minter(data.state)}</span>
          {data.connected || <span class="lost">not connected, trying again…</span>}
        </p>
        <h1 id="summary">{summary(services.length, data, entries)}</h1>
        <nav aria-label="Views">
          {VIEWS.map((view) => (
            <a
              key={view}
              href={hashOf({ view, row: '', filter: place.filter })}
              aria-current={place.view === view ? 'page' : undefined}
            >
              {TITLES[view]}
            </a>
          ))}
        </nav>
      </header>
      <main>
        {place.view === 'hops' && <HopsView data={data} entries={entries} place={place} now={now} />}
        {place.view === 'map' && <MapView data={data} services={services} now={now} />}
        {place.view === 'setup' && <SetupView data={data} now={now} />}
      </main>
    </>
  )
}

const STATE_MS = 3_000

function useData(showsState: boolean): Data {
  const [data, setData] = useState(EMPTY)
  const [follower] = useState(() => new Follower(setData))
  useEffect(() => void follower.load(), [])
  useEffect(() => {
    if (!showsState) return
    void follower.loadState()
    const timer = setInterval(() => void follower.loadState(), STATE_MS)
    return () => clearInterval(timer)
  }, [showsState])
  return data
}

/** Ages are written anew every second. */
function useNow(): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return now
}

function usePlace(): Place {
  const [place, setPlace] = useState(() => readPlace(location.hash))
  useEffect(() => {
    const read = () => setPlace(readPlace(location.hash))
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])
  return place
}

render(<App />, document.body)
