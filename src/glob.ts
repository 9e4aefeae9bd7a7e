/** A matcher for patterns in which `*` is any run of characters; the whole string must match one of them. */
export function createGlob(patterns: readonly string[]): (text: string) => boolean {
  const alternatives = patterns.map((pattern) => pattern.split('*').map(escapeRegExp).join('[\\s\\S]*'))
  const expression = new RegExp(`^(?:${alternatives.join('|')})$`)
  return patterns.length === 0 ? () => false : (text) => expression.test(text)
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
