/** The secret of the control API: from the environment or a file, never from a flag or the settings file. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { invalid } from '../config/layers.ts'
import { flagOf, variableOf } from '../config/settings.ts'
import { plainly } from '../core/schemas.ts'

export const SECRET_VARIABLE = 'SIDEMINT_CONTROL_SECRET'
export const SECRET_FILE_VARIABLE = variableOf('controlSecretFile')
const FILE_FLAG = flagOf('controlSecretFile')

/** Characters that a header can carry without quotes. */
const USABLE = /^[\x21-\x7e]{16,4096}$/
const RULE = 'must be at least 16 characters of printable ASCII without spaces'
const MOST_BYTES = 4_200

/** Undefined where none is set. Throws SETTINGS_INVALID for one that is empty, too short or unreadable; the text is never shown. */
export function readControlSecret(file: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const given = env[SECRET_VARIABLE]
  if (file === undefined) return given === undefined ? undefined : checked(given, SECRET_VARIABLE)
  if (given !== undefined) throw invalid([`${FILE_FLAG}: ${SECRET_VARIABLE} is set too; say only one`])
  return checked(readSecretFile(file), FILE_FLAG)
}

function checked(secret: string, where: string): string {
  if (!USABLE.test(secret)) throw invalid([`${where}: ${RULE}; \`openssl rand -hex 16\` prints one`])
  return secret
}

/** Without the line break that editors put at the end. */
function readSecretFile(path: string): string {
  try {
    if (statSync(path).size > MOST_BYTES) return ''
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw invalid([`${FILE_FLAG}: ${plainly(path)} cannot be read (${(error as NodeJS.ErrnoException).code})`])
  }
}

export function createControlSecret(): string {
  return randomBytes(24).toString('base64url')
}

/** Takes the same time whether the secret is nearly right or quite wrong. `authorization`: the header's value. */
export function isBearer(authorization: string, secret: string): boolean {
  const [, sent = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
  return timingSafeEqual(digest(sent), digest(secret))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
