/** Whether clients ask a sidemint on a port on which it listens. */

import type { Settings } from '../../config/settings.ts'
import { hostAndPort } from '../address.ts'
import { type Finding, fail } from '../finding.ts'
import { given, hostOf, known } from './pointers.ts'
import type { Service } from './project.ts'
import { namesOf, reachesLinkLocal, runsElsewhere, runsOurImage } from './roles.ts'
import { saidOf } from './stand-ins.ts'

interface Stack {
  /** The metadata servers that read the settings. */
  servers: readonly Service[]
  /** Every sidemint. */
  sidemints: readonly Service[]
  services: readonly Service[]
}

/** Which clients ask where nothing names another. */
const GOOGLE_PORT = 80

/** Google's clients know no other port than 80, and ask one that their variable names. */
export function lintPorts(settings: Settings, { servers, sidemints, services }: Stack): Finding[] {
  return servers.flatMap((server) => {
    const main = portOf(server, settings)
    const open = [main, ...settings.identities.map((identity) => identity.port ?? 0)]
    if (Number.isNaN(main)) return []
    return services
      .filter((service) => !sidemints.includes(service))
      .flatMap((service) =>
        portsAsked(service, server)
          .filter((asked) => !open.includes(asked))
          .map((asked) =>
            fail(
              `compose:${service.name}`,
              `it asks ${server.name} on port ${asked}, and ${server.name} listens on ${main}`,
              asked === GOOGLE_PORT
                ? `SIDEMINT_PORT: ${GOOGLE_PORT} in ${server.name}`
                : `name port ${main} in GCE_METADATA_*`,
            ),
          ),
      )
  })
}

/** NaN where it is not known: by a variable, by a file that is not read, or by an image whose defaults are its own. */
function portOf(server: Service, { port }: Settings): number {
  const isKnown = !server.isPartial && (runsOurImage(server) || runsElsewhere(server))
  return Number(saidOf(server, 'port') ?? (isKnown ? port : Number.NaN))
}

/** The ports on which its clients ask this server. */
function portsAsked(service: Service, server: Service): number[] {
  if (reachesLinkLocal(service, [server]) && given(service.environment).length === 0) return [GOOGLE_PORT]
  const names = namesOf([server], service)
  const asked = known(service.environment)
    .filter(([, value]) => names.includes(hostOf(value)))
    .map(([, value]) => Number(/:(\d+)$/.exec(hostAndPort(value))?.[1] ?? GOOGLE_PORT))
  return [...new Set(asked)]
}
