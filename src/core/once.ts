/** Says each thing once, so that whoever repeats it cannot fill the log. */

const MOST_KEPT = 1_000

/** Whether a text comes for the first time. Before the 1,001st different one all are forgotten and count as new again. */
export function createOnce(): (text: string) => boolean {
  const known = new Set<string>()
  return (text) => {
    if (known.has(text)) return false
    if (known.size >= MOST_KEPT) known.clear()
    known.add(text)
    return true
  }
}
