/** Who calls whom, as a picture. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Line } from './copy.tsx'
import { isServer } from './entries.ts'
import type { Call, Service } from './graph.ts'
import { type Box, HEAD, type Layout, layOut, ROW } from './layout.ts'
import { hashOf } from './place.ts'
import type { Data } from './store.ts'
import { ago, counted, identityLine } from './words.ts'

interface Props {
  data: Data
  services: readonly Service[]
  now: number
}

/** More boxes help nobody, and take the browser seconds to draw. */
const MOST_SERVICES = 100

export function MapView({ data, services, now }: Props) {
  const frame = useRef<HTMLDivElement>(null)
  const width = useWidth(frame)
  const shown = services.slice(0, MOST_SERVICES)
  const layout = layOut(
    shown.map(({ name, calls }) => ({ name, callers: calls.map(({ from }) => from) })),
    width,
  )
  const project = isServer(data.state) ? data.state.project : undefined
  const nameless = shown.filter((service) => service.nameless)
  return (
    <section aria-labelledby="map-title">
      <h2 id="map-title" class="hidden">
        Map
      </h2>
      {services.length === 0 && <p class="note">No service is known yet: the map grows with the first call.</p>}
      {services.length > MOST_SERVICES && <p class="note">The first {MOST_SERVICES} services by name.</p>}
      {nameless.map(({ name }) => (
        <div key={name} class="warning">
          <p>
            <bdi>{short(name, 60)}</bdi> has no identity, so it gets no token. In sidemint.yaml:
          </p>
          <Line text={identityLine(name, project)} label={`the line that gives ${name} an identity`} />
        </div>
      ))}
      <div ref={frame} class="frame">
        {shown.length > 0 && <Picture layout={layout} services={shown} now={now} />}
      </div>
      <p class="note">A dashed line: no gate stands there, so only the request for its token is known.</p>
    </section>
  )
}

function useWidth(frame: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(320)
  useLayoutEffect(() => {
    if (frame.current === null) return
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.max(240, Math.floor(entry?.contentRect.width ?? 320))),
    )
    observer.observe(frame.current)
    return () => observer.disconnect()
  }, [])
  return width
}

function Picture({ layout, services, now }: { layout: Layout; services: readonly Service[]; now: number }) {
  const { width, height, boxWidth, boxes, lines } = layout
  const byName = new Map(services.map((service) => [service.name, service]))
  const classOf = (from: string, to: string) => {
    const call = byName.get(to)?.calls.find((one) => one.from === from)
    return call === undefined ? '' : lookOf(call)
  }
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
      <title>Who calls whom</title>
      {lines.map(({ from, to, path }) => (
        <path key={`${from}\0${to}`} class={`arrow ${classOf(from, to)}`} d={path} />
      ))}
      {boxes.map((box) => (
        <ServiceBox key={box.name} box={box} width={boxWidth} service={byName.get(box.name)} now={now} />
      ))}
    </svg>
  )
}

function lookOf({ gated, refused, status }: Call): string {
  return `${gated ? '' : 'ungated'} ${refused > 0 && (status ?? 0) >= 400 ? 'refused' : ''}`
}

const filterBy = (service: string) =>
  hashOf({ view: 'hops', row: '', filter: { service, account: '', refused: false } })

function ServiceBox({
  box,
  width,
  service,
  now,
}: {
  box: Box
  width: number
  service: Service | undefined
  now: number
}) {
  if (service === undefined) return null
  const { name, account, nameless, calls } = service
  const letters = Math.floor(width / 7.4)
  return (
    <g class={`box ${nameless ? 'nameless' : ''}`} transform={`translate(${box.x} ${box.y})`}>
      <rect width={width} height={box.height} rx="6" />
      <a href={filterBy(name)}>
        <title>{`${name}${account === '' ? '' : `, as ${account}`}: its hops`}</title>
        <rect class="head" x="1" y="1" width={width - 2} height={HEAD - 2} rx="5" />
        <text class="label name" x="10" y="19">
          {shortName(name, Math.floor((width - 20) / 8.8))}
        </text>
        <text class="label account" x="10" y="36">
          {nameless ? 'no identity' : short(account, letters)}
        </text>
      </a>
      {calls.map((call, index) => (
        <Incoming key={call.from} call={call} width={width} y={HEAD + index * ROW} letters={letters} now={now} />
      ))}
    </g>
  )
}

interface IncomingProps {
  call: Call
  width: number
  y: number
  letters: number
  now: number
}

/** An arrow's label, at its head. */
function Incoming({ call, width, y, letters, now }: IncomingProps) {
  const { from, to, count, status, refused, lastAt } = call
  const numbers = `${count} · ${status ?? '–'} · ${ago(lastAt, now)}`
  const spoken = `${from} to ${to}: ${counted(count, 'call')}, ${refused} refused, last ${status ?? 'without answer'}, ${ago(lastAt, now)}`
  return (
    <a href={filterBy(from)} class={lookOf(call)}>
      <title>{spoken}</title>
      <rect class="hit" x="1" y={y} width={width - 2} height={ROW - 1} />
      <path class="head-of-arrow" d={`M-7 ${y + ROW / 2 - 5}l7 5l-7 5z`} />
      <text class="label call" x="10" y={y + 17}>
        {shortName(from, letters - numbers.length - 2)}
      </text>
      <text class="label call" x={width - 10} y={y + 17} text-anchor="end">
        {numbers}
      </text>
    </a>
  )
}

/** Cut in its middle: names of one stack often begin alike. */
function shortName(name: string, letters: number): string {
  if (name.length <= letters) return name
  const tail = Math.max(1, Math.floor((letters - 1) / 2))
  return `${name.slice(0, Math.max(1, letters - 1 - tail))}…${name.slice(-tail)}`
}

function short(text: string, letters: number): string {
  return text.length <= letters ? text : `${text.slice(0, Math.max(1, letters - 1))}…`
}
