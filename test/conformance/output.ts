/** What the command prints. */

import type { ExecutionContext } from 'ava'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { conformance } from './command.ts'
import { createFaultyServer } from './faults.ts'
import { urlOf } from './ours.ts'
import { createReport, type Report } from './run.ts'

/** What the command does, with its output. */
export async function run(argv: readonly string[], report?: (url: string) => Promise<Report>) {
  const said = { out: '', err: '' }
  const output = {
    stdout: { write: (text: string) => (said.out += text) },
    stderr: { write: (text: string) => (said.err += text) },
  }
  const code = await conformance(argv, output, report)
  return { code, ...said }
}

/** Before a server with tokens in each of its answers. `names`: the rules to run; default all. */
export async function findsNoToken(t: ExecutionContext, names?: readonly string[]): Promise<void> {
  const url = urlOf('Cloud Run')
  const access = JSON.parse((await ask(url, `${DEFAULT_ACCOUNT}/token`)).body).access_token as string
  const { body: jwt } = await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=https://leak.example`)
  await using faulty = await createFaultyServer(url, {
    reply: (reply, { target }) => ({
      ...reply,
      headers: { ...reply.headers, server: access, 'content-type': jwt },
      body: /token|identity/.test(target) ? `${reply.body} ` : target.includes('project') ? jwt : `${access} ${jwt}`,
    }),
  })
  const report = createReport(faulty.url, names)
  for (const more of [[], ['--json']]) {
    const { code, out } = await run([faulty.url, ...more], () => report)
    t.is(code, 1)
    t.regex(out, /not application\/text/)
    for (const token of [access, jwt]) {
      for (let at = 30; at + 20 < token.length; at += 20) t.false(out.includes(token.slice(at, at + 20)), out)
    }
  }
}
