import test from 'ava'
import { type Layout, layOut, type Node } from '../../src/page/layout.ts'
import { type Calls, DEMO, FIFTEEN } from './stack.ts'

function nodesOf(calls: Calls): Node[] {
  const names = [...new Set(Object.entries(calls).flatMap(([from, to]) => [from, ...to]))]
  return names.map((name) => ({ name, callers: Object.keys(calls).filter((from) => calls[from]?.includes(name)) }))
}

type Point = [x: number, y: number]

/** Points along a path of M, C, V and H, close to one another. */
function pointsOf(path: string): Point[] {
  const points: Point[] = []
  let [x, y]: Point = [0, 0]
  for (const [, command, text = ''] of path.matchAll(/([MCVH])([^MCVH]*)/g)) {
    const numbers = text
      .trim()
      .split(/[\s,]+/)
      .map(Number) as [number, number, number, number, number, number]
    const [x1, y1, x2, y2, x3, y3] = numbers
    const [fromX, fromY] = [x, y]
    if (command === 'M' || command === 'C') [x, y] = numbers.slice(-2) as Point
    if (command === 'H') x = x1
    if (command === 'V') y = x1
    for (let at = 0; at <= 1; at += 0.05) {
      const rest = 1 - at
      const on = (a: number, b: number, c: number, d: number) =>
        a * rest ** 3 + 3 * b * rest ** 2 * at + 3 * c * rest * at ** 2 + d * at ** 3
      if (command === 'C') points.push([on(fromX, x1, x2, x3), on(fromY, y1, y2, y3)])
      else points.push([fromX + (x - fromX) * at, fromY + (y - fromY) * at])
    }
  }
  return points.slice(21)
}

function coveredLines({ boxes, boxWidth, lines }: Layout): string[] {
  return lines.flatMap(({ from, to, path }) =>
    boxes.flatMap(({ name, x, y, height }) => {
      const isIn = ([px, py]: Point) => px > x + 1 && px < x + boxWidth - 1 && py > y + 1 && py < y + height - 1
      return pointsOf(path).some(isIn) ? [`${from} → ${to} passes under ${name}`] : []
    }),
  )
}

for (const [name, calls] of [
  ['the demo', DEMO],
  ['fifteen services in circles', FIFTEEN],
] as const)
  for (const width of [316, 336, 520, 956])
    test(`no arrow passes under a box, or leaves the picture: ${name}, ${width} px`, (t) => {
      const layout = layOut(nodesOf(calls), width)
      t.true(layout.lines.length > 0)
      t.deepEqual(coveredLines(layout), [])
      for (const { path } of layout.lines)
        for (const [x, y] of pointsOf(path)) t.true(x >= 1 && x <= width - 1 && y >= 1 && y <= layout.height - 1, path)
    })
