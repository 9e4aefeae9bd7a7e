/**
 * Compose's own reading of a stack, with the override file, `.env`, COMPOSE_FILE, `extends`, `include` and every profile.
 * Its `config` needs no engine (measured with Docker Compose 2.26).
 */

import { MOST_OUTPUT_MB, runProgram } from '../program.ts'

export type Reply =
  | { kind: 'answer'; text: string }
  | { kind: 'refusal'; tool: string; exitCode: number; stderr: string }
  /** Nobody answered; `why` in words. */
  | { kind: 'silence'; why: string }

interface Tool {
  program: string
  words: readonly string[]
  /** podman-compose 1.6 prints YAML and has no `--format`; `podman compose` may be that or docker-compose. */
  options: readonly string[]
}

const JSON_OUTPUT = ['--format', 'json']
const TOOLS: readonly Tool[] = [
  { program: 'docker', words: ['compose'], options: JSON_OUTPUT },
  { program: 'docker-compose', words: [], options: JSON_OUTPUT },
  { program: 'podman', words: ['compose'], options: [] },
  { program: 'podman-compose', words: [], options: [] },
]

/** It takes 0.3 s, and longer where an `include` is fetched. */
const TIMEOUT_MS = 10_000
/** The exit code of docker and podman where they have no `compose`. */
const NO_SUCH_COMMAND = 125

/** `files`: without any, Compose takes those that it finds in the folder. `options`: of `config`. */
export async function askCompose(
  files: readonly string[],
  env: NodeJS.ProcessEnv,
  options: readonly string[] = [],
): Promise<Reply> {
  for (const { program, words, options: own } of TOOLS) {
    const tool = [program, ...words].join(' ')
    const given = files.flatMap((file) => ['-f', file])
    const line = [...words, ...given, '--profile', '*', 'config', ...own, ...options]
    const outcome = await runProgram(program, line, { env, timeoutMs: TIMEOUT_MS })
    if (outcome.kind === 'done') return { kind: 'answer', text: outcome.stdout }
    if (outcome.kind === 'late')
      return { kind: 'silence', why: `\`${tool} config\` did not answer within ${TIMEOUT_MS / 1000} s` }
    if (outcome.kind === 'flood')
      return { kind: 'silence', why: `\`${tool} config\` printed more than ${MOST_OUTPUT_MB} MB` }
    if (outcome.kind === 'failed' && outcome.exitCode !== NO_SUCH_COMMAND)
      return { kind: 'refusal', tool, exitCode: outcome.exitCode, stderr: outcome.stderr }
  }
  return { kind: 'silence', why: 'there is no Docker Compose or Podman here' }
}
