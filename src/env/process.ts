/**
 * Variables of this process in layers: a test suite may apply and close several servers in any order, and the last one
 * that is still there counts. The layers belong to the module, as process.env belongs to the process.
 */

/** A value of undefined unsets the variable. */
export type Variables = Readonly<Record<string, string | undefined>>

const layers: Variables[] = []
const before = new Map<string, string | undefined>()

/** Lays the variables over those that are there; a second call with the same ones changes nothing. */
export function applyVariables(variables: Variables): void {
  if (layers.includes(variables)) return
  for (const name of Object.keys(variables)) {
    if (!before.has(name)) before.set(name, process.env[name])
  }
  layers.push(variables)
  write()
}

/** Takes the layer away; what lay under it shows again. */
export function withdrawVariables(variables: Variables): void {
  const index = layers.indexOf(variables)
  if (index < 0) return
  layers.splice(index, 1)
  write()
  if (layers.length === 0) before.clear()
}

function write(): void {
  const shown = Object.assign({}, Object.fromEntries(before), ...layers) as Variables
  for (const [name, value] of Object.entries(shown)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}
