/** What an email and a project id are, and how people and tools write one. */

/**
 * Letters that no account of Google's may have (Google Workspace, "Name and password guidelines") are refused, above
 * all those which quotes, lists, members and resource paths put around an email.
 */
export const EMAIL = String.raw`[^@\s,:;=/\\"'<>()[\]][^@\s,:;=/\\"<>()[\]]*@[^@\s,:;=/\\"'<>()[\]]+`
const EXACTLY = new RegExp(`^${EMAIL}$`)

/**
 * An email by itself, in quotes (which env files keep), in angle brackets behind a name, as a member of IAM, or as a
 * resource: `projects/-/serviceAccounts/EMAIL`.
 */
export const WRITTEN_EMAIL = new RegExp(
  String.raw`^\s*["']?\s*(?:[^<>@]*<(${EMAIL})>|(?:user:|serviceAccount:|[^@\s]*\bserviceAccounts/)?(${EMAIL}))\s*["']?\s*$`,
)

/** Characters: 64 before the at sign, 255 behind it (RFC 5321 §4.5.3.1). */
export const LONGEST_EMAIL = 320

export function isEmail(text: string): boolean {
  return EXACTLY.test(text)
}

/** The email in what somebody wrote, or undefined where it holds none, or more than one. */
export function emailIn(written: string): string | undefined {
  const [, bracketed, plain] = WRITTEN_EMAIL.exec(written) ?? []
  return bracketed ?? plain
}

/** A project id (`acme-dev`, `example.com:acme`) by itself, in quotes, or as a resource: `projects/ID`. */
export const WRITTEN_PROJECT = /^\s*["']?\s*(?:[^\s"']*\bprojects\/)?([\w.-]+(?::[\w.-]+)?)\s*["']?\s*$/

/** The project id in what somebody wrote, or undefined. */
export function projectIn(written: string): string | undefined {
  return WRITTEN_PROJECT.exec(written)?.[1]
}
