/** `sidemint exec -- CMD`: runs a command, and a server on a free port that its clients ask. */

import { rmSync } from 'node:fs'
import { invalid } from '../config/layers.ts'
import { flagOf } from '../config/settings.ts'
import { createControlSecret, SECRET_FILE_VARIABLE, SECRET_VARIABLE } from '../control/secret.ts'
import { createClientEnv } from '../env/client.ts'
import { makeTemporaryDirectory } from '../env/directory.ts'
import { identityLabel } from '../identity/identity.ts'
import { refuseEmptyCredentials } from '../mint/choose.ts'
import { startServer } from '../server.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import { announceAdvice } from './banner.ts'
import type { Io } from './command.ts'
import { loginWarning } from './env.ts'
import { execute } from './execute.ts'
import { createLoggedEvents } from './lifetime.ts'

const SHAPE: CommandShape = {
  name: 'exec',
  usage: 'exec [flags] -- COMMAND',
  summary: `Runs the command with a metadata server of its own, and ends with its exit code. Tests need no
credentials: tokens are signed here, unless --source, SIDEMINT_SOURCE or the file's \`source\` names another source.
It gets SIGTERM, SIGHUP and SIGQUIT when exec does. A terminal sends Ctrl-C to both, so exec does not hand SIGINT on.`,
  flags: {},
  takes: 'a command',
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { env, stderr } = io
  const parsed = await readArguments(SHAPE, { argv, env })
  const { given, rest } = parsed
  if (!parsed.chosen.has('source')) refuseGoogle(given, env)
  // A port in the file or in a variable is meant for `serve`, which may be running too.
  const identities = parsed.settings.identities.map((each) => (each.port === undefined ? each : { ...each, port: 0 }))
  const settings = { ...parsed.settings, identities, port: given.has('port') ? parsed.settings.port : 0 }
  const [command, ...parameters] = rest
  if (!command) throw misuse('name the command after `--`: sidemint exec -- pytest')
  const { events, log } = createLoggedEvents(settings, io)
  const controlSecret = createControlSecret()
  const emptyDirectory = makeTemporaryDirectory(env)
  try {
    const server = await startServer({ settings, env, events, controlSecret })
    try {
      stderr.write(loginWarning(env))
      if (settings.gates.length > 0)
        stderr.write(`sidemint: \`gates:\` of ${settings.config} are left out: ${GATES_BY}\n`)
      log.showAt(server.url)
      announceAdvice(server, log)
      stderr.write(`sidemint: ${server.source.name} tokens as ${identityLabel(server.primary)} at ${server.url}\n`)
      const pointed = createClientEnv({ url: server.url, emptyDirectory, env, project: server.project })
      const control = { [SECRET_VARIABLE]: controlSecret, [SECRET_FILE_VARIABLE]: undefined }
      return await execute(command, parameters, { ...env, ...pointed, ...control })
    } finally {
      await server.close()
    }
  } finally {
    rmSync(emptyDirectory, { recursive: true, force: true })
  }
}

const GATES_BY = 'only `sidemint serve` and `sidemint gate` front them'

/** Whoever wants Google's tokens here would get local ones, and learn that only where they are refused. */
function refuseGoogle(given: ReadonlySet<string>, env: NodeJS.ProcessEnv): void {
  refuseEmptyCredentials(env)
  const named = [
    ...(given.has('impersonateServiceAccount') ? [flagOf('impersonateServiceAccount')] : []),
    ...(env.SIDEMINT_CREDENTIALS === undefined ? [] : ['SIDEMINT_CREDENTIALS']),
  ]
  const problems = named.map(
    (name) => `${name}: is for Google's tokens, and exec signs local ones; add --source google`,
  )
  if (problems.length > 0) throw invalid(problems)
}
