/** `npm run conformance -- URL [--json]`: the wire rules against any metadata server. */

import { parseArgs } from 'node:util'
import { toText } from './report.ts'
import { createReport } from './run.ts'
import { createServer } from './server.ts'

const USAGE = `Usage: npm run conformance -- URL [--json]

Checks a metadata server from outside, at http://HOST[:PORT]. Exit code 0: every rule holds; 1: one failed; 2: misuse.
`

interface Output {
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown }
}

/** Returns the exit code. `report`: makes the report of a server. */
export async function conformance(
  argv: readonly string[],
  { stdout, stderr }: Output,
  report = createReport,
): Promise<number> {
  const read = readArguments(argv)
  if (read === 'help') {
    stdout.write(USAGE)
    return 0
  }
  if (typeof read === 'string') {
    stderr.write(`conformance: ${read}\n${USAGE}`)
    return 2
  }
  try {
    await createServer(read.url).ask('/')
  } catch (error) {
    stderr.write(`conformance: ${read.url}: ${(error as Error).message}\n`)
    return 1
  }
  const made = await report(read.url)
  stdout.write(read.json ? `${JSON.stringify(made, null, 2)}\n` : toText(made))
  return made.ok ? 0 : 1
}

function readArguments(argv: readonly string[]): { url: string; json: boolean } | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { json: { type: 'boolean' }, help: { type: 'boolean' } },
    })
    if (values.help === true) return 'help'
    const [text = '', ...more] = positionals
    if (text === '' || more.length > 0) return 'name one URL'
    const { protocol, origin, pathname, search, username } = new URL(text)
    if (protocol !== 'http:' || pathname !== '/' || search !== '' || username !== '') {
      return 'the URL must be http://HOST[:PORT], without a path'
    }
    return { url: origin, json: values.json === true }
  } catch (error) {
    return (error as Error).message
  }
}

if (process.argv[1] === import.meta.filename) {
  void conformance(process.argv.slice(2), process).then((code) => {
    process.exitCode = code
  })
}
