/** What an email is, for a service account as for a person. */

/**
 * Letters that no account of Google's may have (Google Workspace, "Name and password guidelines") are refused, above
 * all those which quotes, lists, members and resource paths put around an email.
 */
export function isEmail(text: string): boolean {
  return /^[^@\s,:;=/\\"<>()[\]]+@[^@\s,:;=/\\"'<>()[\]]+$/.test(text) && !text.startsWith("'")
}
