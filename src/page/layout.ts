/**
 * Where the map's boxes stand: callers above whom they call, in layers that wrap at the width that is there. An arrow's
 * label is a line in the box that it leads to, so no two labels can meet. The same services give the same picture.
 */

export interface Node {
  name: string
  /** Who calls it, one line each. */
  callers: readonly string[]
}

export interface Box {
  name: string
  x: number
  y: number
  height: number
}

export interface Line {
  from: string
  to: string
  path: string
}

export interface Layout {
  width: number
  height: number
  boxWidth: number
  boxes: Box[]
  lines: Line[]
}

export const HEAD = 46
export const ROW = 26
const GAP_X = 28
const GAP_Y = 44
const MARGIN = 22
const WIDEST = 270
const NARROWEST = 200

export function layOut(nodes: readonly Node[], width: number): Layout {
  const columns = Math.max(1, Math.floor((width - 2 * MARGIN + GAP_X) / (NARROWEST + GAP_X)))
  const boxWidth = Math.min(WIDEST, (width - 2 * MARGIN - (columns - 1) * GAP_X) / columns)
  const boxes: Box[] = []
  let y = MARGIN
  for (const row of layersOf(nodes).flatMap((layer) => chunks(layer, columns))) {
    const used = row.length * boxWidth + (row.length - 1) * GAP_X
    let x = (width - used) / 2
    for (const { name, callers } of row) {
      boxes.push({ name, x, y, height: HEAD + callers.length * ROW })
      x += boxWidth + GAP_X
    }
    y += Math.max(...row.map(({ callers }) => HEAD + callers.length * ROW)) + GAP_Y
  }
  return { width, height: y - GAP_Y + MARGIN, boxWidth, boxes, lines: linesOf(nodes, boxes, boxWidth) }
}

/** The longest way to a node is its layer; arrows that close a circle do not count. */
function layersOf(nodes: readonly Node[]): Node[][] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const depths = new Map<string, number>()
  const open = new Set<string>()
  const depthOf = (node: Node): number => {
    const known = depths.get(node.name)
    if (known !== undefined) return known
    open.add(node.name)
    const callers = node.callers.flatMap((name) => byName.get(name) ?? []).filter(({ name }) => !open.has(name))
    const depth = Math.max(-1, ...callers.map(depthOf)) + 1
    open.delete(node.name)
    depths.set(node.name, depth)
    return depth
  }
  const byDepth = Map.groupBy(nodes, depthOf)
  const layers = [...byDepth].sort(([a], [b]) => a - b).map(([, layer]) => layer)
  return sortedByCallers(layers)
}

/** Each node under its callers, as far as that goes: by their mean place in the layers above. */
function sortedByCallers(layers: Node[][]): Node[][] {
  const places = new Map<string, number>()
  return layers.map((layer) => {
    const meanOf = ({ callers }: Node) => {
      const known = callers.flatMap((caller) => places.get(caller) ?? [])
      return known.length === 0 ? 0.5 : known.reduce((sum, place) => sum + place, 0) / known.length
    }
    const sorted = layer.toSorted((a, b) => meanOf(a) - meanOf(b) || (a.name < b.name ? -1 : 1))
    for (const [index, { name }] of sorted.entries()) places.set(name, (index + 0.5) / sorted.length)
    return sorted
  })
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))
}

/** From the foot of the caller's box, past the boxes between, down beside the other box, and to the caller's line in it. */
function linesOf(nodes: readonly Node[], boxes: readonly Box[], boxWidth: number): Line[] {
  const boxOf = new Map(boxes.map((box) => [box.name, box]))
  return nodes.flatMap(({ name: to, callers }) =>
    callers.flatMap((from, index) => {
      const [source, target] = [boxOf.get(from), boxOf.get(to)]
      if (source === undefined || target === undefined) return []
      const apart = 10 + 2 * Math.min(index, 4)
      const x = Math.round(source.x + boxWidth / 2)
      const foot = Math.max(...boxes.filter((box) => box.y === source.y).map((box) => box.y + box.height))
      const beside = Math.round(target.x) - apart
      const ends = { x, foot, beside, top: target.y }
      const isDown = target.y > source.y
      const between = boxes.filter(({ y }) => (isDown ? y > source.y && y < target.y : y >= target.y && y <= source.y))
      const column = freeColumn(beside, apart, between, boxWidth)
      const start = `M${x} ${source.y + source.height}V${foot}`
      const end = `V${target.y + HEAD + (index + 0.5) * ROW}H${Math.round(target.x) - 2}`
      const way = isDown ? down(ends, between.length === 0 ? undefined : column) : up(ends, column)
      return [{ from, to, path: start + way + end }]
    }),
  )
}

interface Ends {
  /** Where it begins, at the foot of a row. */
  x: number
  foot: number
  /** Where it arrives, beside a box whose top is there. */
  beside: number
  top: number
}

/** `column`: where it passes the boxes between, where there are any. */
function down({ x, foot, beside, top }: Ends, column: number | undefined): string {
  if (column === undefined) return bend(x, foot, beside, top + 4)
  return `${bend(x, foot, column, foot + GAP_Y)}V${top - GAP_Y}${bend(column, top - GAP_Y, beside, top + 4)}`
}

/** Its two turns stay within the margin, also under the last row and over the first. */
function up({ x, foot, beside, top }: Ends, column: number): string {
  return `C${x} ${foot + 24} ${column} ${foot + 24} ${column} ${foot}V${top - 4}C${column} ${top - 24} ${beside} ${top - 24} ${beside} ${top + 4}`
}

function bend(x: number, y: number, toX: number, toY: number): string {
  return `C${x} ${y + 36} ${toX} ${toY - 40} ${toX} ${toY}`
}

/** Where a line can pass between these boxes, as near as can be to where it is wanted. */
function freeColumn(wanted: number, apart: number, boxes: readonly Box[], boxWidth: number): number {
  const isFree = (x: number) => x > 0 && boxes.every((box) => x < box.x - 3 || x > box.x + boxWidth + 3)
  const besides = boxes.flatMap(({ x }) => [Math.round(x) - apart, Math.round(x + boxWidth) + apart])
  const free = [wanted, ...besides].filter(isFree)
  return free.toSorted((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted))[0] ?? wanted
}
