/** Times in words, as HTTP and Google's APIs write them. */

/** Epoch ms; undefined for what is not a time. */
export function readDate(written: unknown): number | undefined {
  const ms = Date.parse(String(written))
  return Number.isNaN(ms) ? undefined : ms
}
