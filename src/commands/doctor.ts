/** `sidemint doctor`: what stands between this machine and its tokens, each with the command that mends it. */

import { checkCompose } from '../doctor/compose/index.ts'
import { isPipe } from '../doctor/compose/stack.ts'
import type { Finding } from '../doctor/finding.ts'
import { report } from '../doctor/report.ts'
import { checkTokens } from '../doctor/tokens.ts'
import { checkAlias, checkPointers, checkPort } from '../doctor/wiring.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'

const SHAPE: CommandShape = {
  name: 'doctor',
  usage: 'doctor [--compose FILE]... [--json]',
  summary: `Checks credentials, IAM, clock, network and wiring. Exits 1 where something failed.

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
    json: { help: 'print a list of findings: check, status (ok, warn, fail), what, fix, code, claims' },
  },
  takes: 'nothing',
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], { env, stdout, readStdin, pointers }: Io): Promise<number> {
  const { settings, own } = await readArguments(SHAPE, { argv, env })
  const files = Array.isArray(own.compose) ? own.compose : []
  if (files.length > 1 && files.some(isPipe)) throw misuse('--compose: stdin is a whole stack, and stands alone')
  const checks: Promise<Finding | Finding[]>[] = [
    checkTokens(settings, env),
    checkPort(settings),
    checkPointers(pointers, env),
    checkAlias(),
    checkCompose({ files, env, stdin: readStdin }),
  ]
  const findings = (await Promise.all(checks)).flat()
  const colour = stdout.isTTY === true && env.NO_COLOR === undefined
  stdout.write(own.json === true ? `${JSON.stringify(findings, null, 2)}\n` : report(findings, { colour }))
  return findings.some(({ status }) => status === 'fail') ? 1 : 0
}
