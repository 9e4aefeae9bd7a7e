/**
 * Compose's variables in a file's values: `$X`, `${X}`, `${X:-default}`, `${X-default}`, `${X:+other}`, `${X+other}`,
 * `${X:?message}`, and `$$` for a dollar. https://docs.docker.com/reference/compose-file/interpolation/
 */

type Variables = Readonly<Record<string, string | undefined>>

/** The innermost expression: its parts hold no further one. */
const EXPRESSION = /\$(?:\{([A-Za-z_]\w*)(?:(:?[-+?])([^{}$]*))?\}|([A-Za-z_]\w*))/
/** Stands for `$$` meanwhile; no YAML text can hold it. */
const DOLLAR = '\0'

/** The data with every string's variables filled in; an unset one is empty, as Compose has it. */
export function interpolate(data: unknown, variables: Variables): unknown {
  if (typeof data === 'string') return fill(data, variables)
  if (Array.isArray(data)) return data.map((element) => interpolate(element, variables))
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, interpolate(value, variables)]))
}

function fill(text: string, variables: Variables): string {
  let filled = text.replaceAll('$$', DOLLAR)
  for (let match = EXPRESSION.exec(filled); match !== null; match = EXPRESSION.exec(filled)) {
    const [whole, braced, operator, word = '', bare = ''] = match
    const value = variables[braced ?? bare]
    const given = operator?.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
    const result = operator?.endsWith('+') ? (given ? word : '') : given ? value : operator?.endsWith('-') ? word : ''
    // A value is not looked at again, whatever dollars it holds.
    filled = filled.replace(whole, () => (result ?? '').replaceAll('$', DOLLAR))
  }
  return filled.replaceAll(DOLLAR, '$')
}
