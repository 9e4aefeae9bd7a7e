/**
 * The subject token of a federated credential: failures before Google is asked, and tokens from a program. The program is
 * run here: the library's own runner ends the whole process where it cannot start the program, and does not end it with
 * the mint (docs/minting.md, "Subject tokens").
 */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { failure, type SidemintError } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { childEnv } from '../../env/child.ts'
import type { CredentialSource, FederatedCredential } from '../adc.ts'
import type { ClientOptions } from './client.ts'
import { plain, Refusal } from './refusal.ts'

type SubjectProgram = NonNullable<CredentialSource['executable']>

/**
 * Runs the program by Google's rules (AIP-4117): only where GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1. The mint ends
 * before the thirty seconds that those rules give a program for which the file names no time.
 */
export function programSupplier(
  program: SubjectProgram,
  { audience, subject_token_type }: FederatedCredential,
  { env, transport }: Pick<ClientOptions, 'env' | 'transport'>,
) {
  const { command, timeout_millis: timeout = 0, output_file: file } = program

  async function run(): Promise<Answer | undefined> {
    if (env.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES !== '1') {
      throw missing(nameOf(program), 'GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is not 1', ALLOW)
    }
    const [name = '', ...rest] = wordsOf(command)
    const told = {
      ...childEnv(env),
      GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE: audience,
      GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE: subject_token_type,
      GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE: '0',
      ...(file === undefined ? {} : { GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE: file }),
    }
    const signal = transport.signal()
    const running = promisify(execFile)(name, rest, { env: told, timeout, ...(signal ? { signal } : {}) })
    // A program that ends with an error may have said why.
    const { stdout } = await running.catch((error: { stdout?: string }) => {
      const said = String(error.stdout)
      if (parsed(said)?.success === false) return { stdout: said }
      throw error
    })
    return parsed(stdout)
  }

  return {
    async getSubjectToken(): Promise<string> {
      const kept = file === undefined ? undefined : await readFile(file, 'utf8').then(parsed, () => undefined)
      return subjectOf(kept) ?? subjectFrom(await run(), program)
    },
  }
}

type Answer = Record<string, unknown>

/** Also undefined for a half-written text: the program writes its file while we read it. */
function parsed(text: string): Answer | undefined {
  return parseJson(text) as Answer | undefined
}

function subjectFrom(answer: Answer | undefined, program: SubjectProgram): string {
  const { success, code = '', message = '' } = answer ?? {}
  if (answer === undefined) throw missing(nameOf(program), 'nothing usable is there')
  if (success === false) {
    throw missing(nameOf(program), plain(`it answered without success: ${code} ${message}`), AS_IT_SAYS)
  }
  return subjectOf(answer) ?? noToken(program)
}

function noToken(program: SubjectProgram): never {
  throw missing(nameOf(program), 'it answered without a token that is valid now')
}

/** The token of a successful answer that has not expired. */
function subjectOf(answer: Answer | undefined): string | undefined {
  const { success, version, id_token, saml_response, expiration_time } = answer ?? {}
  if (success !== true || version !== 1) return undefined
  if (typeof expiration_time === 'number' && expiration_time * 1000 <= Date.now()) return undefined
  const token = id_token ?? saml_response
  return typeof token === 'string' ? token : undefined
}

/** Why there is no subject token. Only the `message` of a program's output is shown: the rest may be a token. */
export function subjectTokenMissing(source: CredentialSource, thrown: unknown): SidemintError {
  const { code, killed } = thrown as { code?: unknown; killed?: boolean }
  if (killed === true || code === 'ABORT_ERR') return failure('SOURCE_TIMEOUT', {})
  const from = placeOf(source)
  if (from === undefined) {
    return missing('credential_source', 'it names no file, no URL, no program and no AWS environment')
  }
  if (thrown instanceof Refusal) {
    const { status, reason } = thrown
    return missing(from, `it answered ${status}${reason === '' ? '' : `: ${reason}`}`)
  }
  if (typeof code === 'number') return missing(from, `it ended with exit code ${code}`)
  return missing(from, typeof code === 'string' ? code : 'nothing usable is there')
}

function placeOf({ file, url, executable, environment_id }: CredentialSource): string | undefined {
  if (file !== undefined) return file
  if (executable !== undefined) return nameOf(executable)
  if (url === undefined) return environment_id === undefined ? undefined : 'AWS'
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

/** Its arguments may hold secrets. */
function nameOf({ command }: SubjectProgram): string {
  return `the program ${JSON.stringify(wordsOf(command)[0] ?? '')}`
}

function wordsOf(command: string): string[] {
  const words = command.match(/(?:[^\s"]+|"[^"]*")+/g) ?? []
  return words.map((word) => word.replace(/^"(.*)"$/, '$1'))
}

const ALLOW = 'set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 where sidemint runs, if you trust the credential file'
const AS_IT_SAYS = 'do what the program says, here, where sidemint runs'

function missing(from: string, reason: string, fix?: string): SidemintError {
  return failure('SUBJECT_TOKEN_MISSING', { from, reason }, { fix })
}
