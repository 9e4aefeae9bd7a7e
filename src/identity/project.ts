/** The project in a service account's email. */

/**
 * `NAME@PROJECT.iam.gserviceaccount.com` and `PROJECT@appspot.gserviceaccount.com`
 * (cloud.google.com/iam/docs/service-account-types). A project of a domain, `example.com:acme`, has its email at
 * `acme.example.com.iam.gserviceaccount.com`. Undefined for other emails: a number is not an id.
 */
export function projectOfEmail(email: string): string | undefined {
  const [, app] = /^([a-z][a-z0-9-]+)@appspot\.gserviceaccount\.com$/.exec(email) ?? []
  const [, project, domain] = /@([a-z][a-z0-9-]+)(?:\.([a-z0-9.-]+))?\.iam\.gserviceaccount\.com$/.exec(email) ?? []
  return app ?? (domain === undefined ? project : `${domain}:${project}`)
}
