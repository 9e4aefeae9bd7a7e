/** Grants as they are written in production and in sidemint.yaml. */

import { bindingLine, hclText, type Place, serviceName, yamlText } from '../gate/lines.ts'

export interface Needed {
  /** The gate's host. */
  service: string
  /** As IAM writes it. */
  member: string
}

export const GRANT_FORMATS: Record<string, (needed: readonly Needed[], place: Place) => string> = {
  gcloud: (needed, place) => needed.map(({ service, member }) => `${bindingLine(service, member, place)}\n`).join(''),
  terraform,
  sidemint,
}

/** registry.terraform.io/providers/hashicorp/google/latest/docs/resources/cloud_run_v2_service_iam */
function terraform(needed: readonly Needed[], { project = 'PROJECT', region = 'REGION' }: Place): string {
  const taken = new Set<string>()
  return needed
    .map(({ service, member }) => {
      const values = { project, location: region, name: serviceName(service), role: 'roles/run.invoker', member }
      const width = Math.max(...Object.keys(values).map((name) => name.length))
      const lines = Object.entries(values).map(([name, value]) => `  ${name.padEnd(width)} = ${hclText(value)}\n`)
      const label = freeLabel(`${service}_${member.replace(/^\w+:/, '').replace(/@.*/, '')}`, taken)
      return `resource "google_cloud_run_v2_service_iam_member" "${label}" {\n${lines.join('')}}\n`
    })
    .join('\n')
}

function freeLabel(text: string, taken: Set<string>): string {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^(?![a-z])/, 'invoker_')
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? label : `${label}_${count}`
    if (taken.has(candidate)) continue
    taken.add(candidate)
    return candidate
  }
}

const MERGE = "# Each entry's `invoker:` goes into the entry of that host in your own `gates:`.\n"

/** Entries of `gates:`, with nothing but these two keys of each. */
function sidemint(needed: readonly Needed[]): string {
  const services = [...new Set(needed.map(({ service }) => service))]
  const entries = services.map((service) => {
    const members = needed.filter((one) => one.service === service).map(({ member }) => `      - ${yamlText(member)}\n`)
    return `  - host: ${yamlText(service)}\n    invoker:\n${members.join('')}`
  })
  return entries.length === 0 ? '' : `${MERGE}gates:\n${entries.join('')}`
}
