/** Whether this shell's clients find a sidemint: its port, the shell's variables, Google's own name. */

import { lookup } from 'node:dns/promises'
import type { Settings } from '../config/settings.ts'
import { asFailure } from '../core/errors.ts'
import { METADATA_NAME as ALIAS } from '../core/google.ts'
import { DEFAULT_URL, reachable } from '../core/host.ts'
import { shellLine } from '../env/client.ts'
import { listen } from '../http/listener.ts'
import { hostAndPort } from './address.ts'
import { type Finding, fail, failed, ok, warn } from './finding.ts'
import { whoAnswers } from './running.ts'
import { within } from './within.ts'

/** A resolver that is there answers at once. */
const LOOKUP_TIMEOUT_MS = 2_000

/** The address of the settings, where no sidemint answers, can be listened on. */
export async function checkPort({ host, port }: Pick<Settings, 'host' | 'port'>): Promise<Finding> {
  const check = 'port'
  const address = `${reachable(host)}:${port}`
  try {
    const listener = await listen({ host, port, handler: (_, response) => response.end(), headers: [] })
    await listener.close(0)
    return ok(check, `${port === 0 ? 'a port' : address} is free for \`sidemint serve\``)
  } catch (error) {
    return failed(check, asFailure(error))
  }
}

/**
 * The shell's variables that point clients at a metadata server, from before this process took them out of its own.
 * `running`: where a server answers that they may be pointed at. Default: where one listens by default.
 */
export async function checkPointers(
  pointers: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  running = DEFAULT_URL,
): Promise<Finding[]> {
  const names = Object.keys(pointers)
  if (names.length === 0) {
    const ways = `${shellLine(running)} or \`sidemint exec\``
    return [ok('shell', `no GCE_METADATA_* is set: point clients here with ${ways}`)]
  }
  const byAddress = Map.groupBy(names, (name) => hostAndPort(pointers[name] ?? ''))
  const answers = await Promise.all(
    [...byAddress].map(async ([address, set]) => {
      const there = await whoAnswers(address)
      return there === 'sidemint' || there === 'Google'
        ? ok(
            'shell',
            `${set.join(', ')}: ${there === 'Google' ? 'a metadata server' : 'a sidemint'} answers at ${address}`,
          )
        : fail(
            'shell',
            `${set.join(', ')} points every Google client of this shell at ${address}, where no metadata server answers (${there})`,
            `start one with \`sidemint serve\`, or: unset ${set.join(' ')}`,
          )
    }),
  )
  const schemes = names.filter((name) => pointers[name]?.includes('/'))
  const { GOOGLE_APPLICATION_CREDENTIALS } = env
  return [
    ...answers,
    ...schemes.map((name) =>
      fail(
        'shell',
        `${name} is ${pointers[name]}: clients add http:// themselves`,
        `export ${name}=${hostAndPort(pointers[name] ?? '')}`,
      ),
    ),
    ...(GOOGLE_APPLICATION_CREDENTIALS
      ? [
          warn(
            'shell',
            "GOOGLE_APPLICATION_CREDENTIALS is set beside them, so this shell's clients never ask that server",
            `unset GOOGLE_APPLICATION_CREDENTIALS, or leave it to sidemint alone: ${shellLine(running)}`,
          ),
        ]
      : []),
  ]
}

/** Who answers to Google's own name: nobody on a laptop, a sidemint in a compose network, Google on its machines. */
export async function checkAlias(running = DEFAULT_URL): Promise<Finding> {
  const check = 'alias'
  const found = await within(LOOKUP_TIMEOUT_MS, lookup(ALIAS)).catch(() => undefined)
  if (found === undefined) return ok(check, `${ALIAS} does not resolve here, as on every laptop`)
  const there = await whoAnswers(ALIAS)
  if (there === 'sidemint') return ok(check, `${ALIAS} (${found.address}) is a sidemint`)
  if (there === 'Google') {
    return warn(
      check,
      `${ALIAS} (${found.address}) is a metadata server already, and clients without variables ask that one`,
      `nothing, if that is meant; else point clients here with ${shellLine(running)}`,
    )
  }
  return fail(
    check,
    `${ALIAS} resolves to ${found.address}, where no metadata server answers (${there})`,
    `remove ${ALIAS} from /etc/hosts, or the DNS record`,
  )
}
