/** A number from 0 up to 1, the same ones for the same seed (mulberry32 by Tommy Ettinger, in the public domain). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What a fuzz puts into JSON and YAML: what their readers take for more than text, and a member that means everybody. */
export const PIECES: readonly string[] = [
  '',
  '\0',
  '\uFEFF',
  ': ',
  '- ',
  '{',
  ']',
  '"',
  '&a *a',
  '*a',
  '<<: *b',
  '!!js x',
  '__proto__:',
  '1e999',
  'null',
  '\t',
  '\n',
  '~',
  'allUsers',
]
