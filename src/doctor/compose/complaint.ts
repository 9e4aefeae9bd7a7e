/** What Compose says of a stack that it refuses, where that cannot be a secret: its messages quote the stack's values. */

import { askCompose } from './ask.ts'

/** These quote keys, in which Compose replaces no variable (measured with Docker Compose 2.26, as the next). */
const OF_KEYS =
  /services\.[\w.-]+ Additional property [\w.-]+ is not allowed|service "[\w.-]+" has neither an image nor a build context specified/
/** These quote a name, which a variable may have given. */
const OF_A_NAME =
  /service "[\w.-]+" (?:refers to undefined (?:volume|network|config|secret)|depends on undefined service) "?([\w.-]*\w)"?/

/** Undefined where it says something else, or names what a variable holds. */
export async function complaintIn(
  stderr: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const [ofKeys] = OF_KEYS.exec(stderr) ?? []
  if (ofKeys !== undefined) return ofKeys
  const [said, name] = OF_A_NAME.exec(stderr) ?? []
  if (said === undefined) return undefined
  // Without variables Compose does not look whether names are there, and prints the stack as it is written.
  const plain = await askCompose(files, env, ['--no-interpolate'])
  return plain.kind === 'answer' && plain.text.includes(`"${name}"`) ? said : undefined
}
