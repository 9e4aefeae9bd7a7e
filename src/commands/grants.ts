/** `sidemint grants`: the invoker grants that the calls through a server's gates needed. */

import { hostName } from '../core/host.ts'
import { plainly, quoted } from '../core/schemas.ts'
import type { Place } from '../gate/lines.ts'
import { GRANT_FORMATS, type Needed } from '../inspector/grant-text.ts'
import type { GatesState } from '../inspector/rows.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import { askJson } from './ask.ts'
import type { Io } from './command.ts'
import { compareWith } from './grant-check.ts'

const SHAPE: CommandShape = {
  name: 'grants',
  usage: 'grants [--format gcloud|terraform|sidemint] [--check FILE] [--service HOST] [--server URL]',
  summary: `Prints the invoker grants that the calls through the gates of a running server needed, whether the gates refuse
(--mode enforce) or only report. A service is called as its gate's host; PROJECT, REGION and SERVICE stand where nothing
says which. With --check it compares them with a policy, as \`gcloud run services get-iam-policy\` prints it, or with a
settings file: exit 1 where a grant is missing there, 0 with a note where one was never used.`,
  flags: {
    format: { value: 'FORMAT', help: 'gcloud, terraform or sidemint (default: gcloud)' },
    check: { value: 'FILE', help: 'compare with this policy or settings file instead' },
    service: { value: 'HOST', help: 'only this service; with --check, whose policy FILE is' },
  },
  takes: 'nothing',
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], { env, stdout, stderr }: Io): Promise<number> {
  const { settings, own } = await readArguments(SHAPE, { argv, env })
  const { check, service } = own
  const name = String(own.format ?? 'gcloud')
  const format = Object.hasOwn(GRANT_FORMATS, name) ? GRANT_FORMATS[name] : undefined
  if (format === undefined) throw misuse(`--format: must be gcloud, terraform or sidemint, not ${quoted(name)}`)
  const only = typeof service === 'string' ? hostName(service) : undefined
  const { grants, forgotten, most, ...place } = await askJson<Grants>(settings.server, '/_sidemint/grants', {
    field: 'grants',
    unsaid: UNSAID,
  })
  if (only !== undefined) await demandService(settings.server, only)
  const needed = grants.filter((grant) => only === undefined || grant.service === only)
  if (forgotten > 0) stderr.write(`sidemint: ${forgotten} grants were dropped: a server keeps the last ${most}\n`)
  if (needed.length === 0) stderr.write(NONE)
  if (typeof check !== 'string') {
    stdout.write(format(needed, place))
    return 0
  }
  const { missing, unused, unknownGroups } = compareWith(check, needed, only)
  if (unknownGroups.length > 0)
    stderr.write(`sidemint: ${plainly(check)} lets ${unknownGroups.join(', ')} in${UNKNOWN}`)
  if (missing.length > 0) stdout.write(`missing in ${check}:\n${format(missing, place)}`)
  if (unused.length > 0) stdout.write(`never used in this run:\n${unused.map(asLine).join('')}`)
  return missing.length > 0 ? 1 : 0
}

/** Throws SETTINGS_INVALID where no gate has the host: nothing would ever be missing there. */
async function demandService(server: string, service: string): Promise<void> {
  const { gates } = await askJson<GatesState>(server, '/_sidemint/state', { field: 'gates', unsaid: UNSAID })
  const hosts = gates.map(({ host }) => host)
  if (hosts.includes(null) || hosts.includes(service)) return
  throw misuse(
    `--service: no gate of ${server} has the host ${plainly(service)}; they have ${hosts.join(', ') || 'none'}`,
  )
}

const NONE =
  'sidemint: no call through a gate of this server has needed a grant yet. Fix: run your tests, then ask again\n'

const UNKNOWN =
  ', and who is in it is not known here. Fix: name its members with `group:` in a settings file whose `policy:` this is\n'

const UNSAID = 'it is not a sidemint that has gates'

const asLine = ({ service, member }: Needed) => `${service} ${member}\n`

interface Grants extends Place {
  grants: Needed[]
  most: number
  forgotten: number
}
