/**
 * A matcher for patterns in which `*` is any run of characters; the whole text must match one of them. It searches and
 * builds no regular expression: the text is a caller's, and with a few asterisks an expression could take minutes.
 */
export function createGlob(patterns: readonly string[]): (text: string) => boolean {
  const matchers = patterns.map(createMatcher)
  return (text) => matchers.some((matches) => matches(text))
}

function createMatcher(pattern: string): (text: string) => boolean {
  const [start = '', ...others] = pattern.split('*')
  const end = others.pop()
  if (end === undefined) return (text) => text === pattern
  return (text) => {
    if (!text.startsWith(start)) return false
    let at = start.length
    for (const part of others) {
      const found = text.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return text.length - end.length >= at && text.endsWith(end)
  }
}
