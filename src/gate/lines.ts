/** Lines to copy: for a shell, for Terraform, for sidemint.yaml. What they name may come from a token, and harms no shell. */

import { visible } from '../core/visible.ts'

/** Where the services run; absent where no setting says it. */
export interface Place {
  project?: string | undefined
  region?: string | undefined
}

/** A service of Cloud Run is named so (cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/create). */
const SERVICE_NAME = /^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$/

/** The service's name, or a placeholder where a gate's host cannot be one. */
export function serviceName(host: string): string {
  return SERVICE_NAME.test(host) ? host : 'SERVICE'
}

/** cloud.google.com/sdk/gcloud/reference/run/services/add-iam-policy-binding */
export function bindingLine(service: string, member: string, place: Place): string {
  return gcloudRun('add-iam-policy-binding', service, [`--member=${member}`, '--role=roles/run.invoker'], place)
}

/** cloud.google.com/run/docs/configuring/custom-audiences */
export function audienceLine(service: string, audience: string, place: Place): string {
  return gcloudRun('update', service, [`--add-custom-audiences=${audience}`], place)
}

/** A list of sidemint.yaml with one more entry. */
export function listLine(setting: string, before: readonly string[], added: string): string {
  return `${setting}: [${[...new Set([...before, added])].map(yamlText).join(', ')}]`
}

function gcloudRun(verb: string, host: string, flags: readonly string[], { project, region }: Place): string {
  const place = [`--region=${region ?? 'REGION'}`, `--project=${project ?? 'PROJECT'}`]
  const line = ['gcloud run services', verb, serviceName(host), ...[...flags, ...place].map(shellWord)].join(' ')
  return serviceName(host) === host ? line : `${line} # ${visible(host) || 'the only gate'}`
}

/** The account as IAM writes it. */
export function memberFor(email: string): string {
  return email.endsWith('.gserviceaccount.com') ? `serviceAccount:${email}` : `user:${email}`
}

/** One word for a POSIX shell. */
export function shellWord(text: string): string {
  const shown = visible(text)
  return /^[\w@%+=:,./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`
}

/** A text in YAML, which has JSON's strings too. */
export function yamlText(text: string): string {
  return /^[A-Za-z][\w@./:-]*[\w/]$/.test(text) && !/^(true|false|yes|no|on|off|null)$/i.test(text)
    ? text
    : visible(JSON.stringify(text))
}

/** A text in Terraform's language, where `${` and `%{` begin a template (developer.hashicorp.com/terraform/language/expressions/strings). */
export function hclText(text: string): string {
  return visible(JSON.stringify(text)).replace(/[$%](?=\{)/g, '$&$&')
}
