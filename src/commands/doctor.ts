/** `sidemint doctor`: what keeps this machine from its tokens, each with the command that fixes it. */

import type { Settings } from '../config/settings.ts'
import { reachable } from '../core/host.ts'
import { version } from '../core/version.ts'
import { checkCompose } from '../doctor/compose/index.ts'
import { isPipe } from '../doctor/compose/stack.ts'
import { type Finding, ok } from '../doctor/finding.ts'
import { report } from '../doctor/report.ts'
import { askRunning } from '../doctor/running.ts'
import { checkTokens } from '../doctor/tokens.ts'
import { checkAlias, checkPointers, checkPort } from '../doctor/wiring.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'

const SHAPE: CommandShape = {
  name: 'doctor',
  usage: 'doctor [--compose FILE]... [--json]',
  summary: `Checks credentials, IAM, clock, network and wiring. Exits 1 where something failed.

A sidemint that answers at --server, or where \`serve\` listens, is asked first: for whom it speaks, whether it is ready,
and for a token. Where it gives one, what this shell itself lacks is only warned of.

The stack in this folder is looked at too, as \`docker compose config\` or Podman's prints it: with the override file, .env,
COMPOSE_FILE, extends, include and every profile. Without either, its files are read as plain YAML.
A service is a sidemint where its image, its build directory or its command has that name, or where it has the alias
metadata.google.internal or the address 169.254.169.254.`,
  flags: {
    compose: {
      value: 'FILE',
      help: 'look at this compose file, not the one in the folder; several are laid over one another, - is stdin',
      repeats: true,
    },
    json: { help: 'print a list of findings, for a report: check, status (ok, warn, fail), what, fix, code, claims' },
  },
  takes: 'nothing',
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], { env, stdout, readStdin, pointers }: Io): Promise<number> {
  const { settings, chosen, own } = await readArguments(SHAPE, { argv, env })
  const files = Array.isArray(own.compose) ? own.compose : []
  if (files.length > 1 && files.some(isPipe)) throw misuse('--compose: stdin is a whole stack, and stands alone')
  const inImage = env.SIDEMINT_IMAGE === 'true'
  const url = addressOf(settings, chosen)
  const running = url === undefined ? undefined : await askRunning(url)
  const checks: (Finding[] | Promise<Finding | Finding[]>)[] = [
    [ok('version', `sidemint ${version}, Node.js ${process.version}, ${process.platform} ${process.arch}`)],
    running?.findings ?? (inImage ? [ok('server', `no metadata server answers at ${url}`)] : checkPort(settings)),
    checkTokens(settings, env).then((found) => (running?.gives && !inImage ? found.map(asHint) : found)),
    inImage && Object.keys(pointers).length === 0 ? [] : checkPointers(pointers, env, running && url),
    checkAlias(running && url),
    checkCompose({ files, env, stdin: readStdin }),
    running?.calls ?? [],
  ]
  const findings = (await Promise.all(checks)).flat()
  const colour = stdout.isTTY === true && env.NO_COLOR === undefined
  stdout.write(own.json === true ? `${JSON.stringify(findings, null, 2)}\n` : report(findings, { colour }))
  return findings.some(({ status }) => status === 'fail') ? 1 : 0
}

/** Where a server would be; none where it would take a free port. */
function addressOf({ server, host, port }: Settings, chosen: ReadonlySet<string>): string | undefined {
  if (chosen.has('server')) return server
  return port === 0 ? undefined : `http://${reachable(host)}:${port}`
}

/** A server that gives tokens may have other settings than this shell, whose own then stand in nobody's way. */
function asHint(finding: Finding): Finding {
  return finding.status === 'fail' ? { ...finding, status: 'warn' } : finding
}
