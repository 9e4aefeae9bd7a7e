/**
 * The subject token of a federated credential: what goes wrong before Google is asked, and the form that comes from a
 * program. The library's own runner ends the whole process where the program cannot be started, and does not end the
 * program with the mint.
 */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { failure, type SidemintError } from '../../core/errors.ts'
import { childEnv } from '../../env/child.ts'
import type { CredentialSource, FederatedCredential } from '../adc.ts'
import type { Transport } from './transport.ts'

type SubjectProgram = NonNullable<CredentialSource['executable']>

const DEFAULT_TIMEOUT_MS = 30_000

/** Runs the program by Google's rules (AIP-4117): only where GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1. */
export function programSupplier(
  program: SubjectProgram,
  { audience, subject_token_type }: FederatedCredential,
  transport: Transport,
) {
  const { command, timeout_millis: timeout = DEFAULT_TIMEOUT_MS, output_file: file } = program

  async function run(): Promise<unknown> {
    if (process.env.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES !== '1') {
      throw missing(programName(command), 'GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is not 1')
    }
    const [name = '', ...rest] = wordsOf(command)
    const env = {
      ...childEnv(process.env),
      GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE: audience,
      GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE: subject_token_type,
      GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE: '0',
      ...(file === undefined ? {} : { GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE: file }),
    }
    const signal = transport.signal()
    const { stdout } = await promisify(execFile)(name, rest, { env, timeout, ...(signal ? { signal } : {}) })
    return JSON.parse(stdout)
  }

  async function kept(): Promise<unknown> {
    if (file === undefined) return undefined
    const text = await readFile(file, 'utf8').catch(() => '')
    return text === '' ? undefined : JSON.parse(text)
  }

  return {
    async getSubjectToken(): Promise<string> {
      return subjectOf(await kept()) ?? subjectOf(await run()) ?? missingAnswer(command)
    },
  }
}

function wordsOf(command: string): string[] {
  return (command.match(/(?:[^\s"]+|"[^"]*")+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'))
}

/** Only the program: its arguments may hold a secret. */
function programName(command: string): string {
  return `the program ${JSON.stringify(wordsOf(command)[0] ?? '')}`
}

/** The token of an answer that is good and has not expired. */
function subjectOf(answer: unknown): string | undefined {
  const { success, version, id_token, saml_response, expiration_time } = (answer ?? {}) as Record<string, unknown>
  if (success !== true || version !== 1) return undefined
  if (typeof expiration_time === 'number' && expiration_time * 1000 <= Date.now()) return undefined
  const token = id_token ?? saml_response
  return typeof token === 'string' ? token : undefined
}

function missingAnswer(command: string): never {
  throw missing(programName(command), 'it answered without a valid token')
}

/** Why there is no subject token. What a program printed is not shown: it may be one. */
export function subjectTokenMissing({ file, url, executable }: CredentialSource, thrown: unknown): SidemintError {
  const { code, status, killed } = thrown as { code?: unknown; status?: unknown; killed?: boolean }
  if (killed === true || code === 'ABORT_ERR') return failure('SOURCE_TIMEOUT', {})
  const from = file ?? url ?? (executable === undefined ? 'AWS' : programName(executable.command))
  if (status !== undefined) return missing(from, `it answered ${status}`)
  if (typeof code === 'number') return missing(from, `it ended with exit code ${code}`)
  return missing(from, typeof code === 'string' ? code : 'nothing usable is there')
}

function missing(from: string, reason: string): SidemintError {
  return failure('SUBJECT_TOKEN_MISSING', { from, reason })
}
