/** Who mints here, whether it can, and the way to Google where it is Google that does. */

import { asFailure } from '../errors.ts'
import { createEvents } from '../events.ts'
import { createIdentities, type Identities } from '../identities.ts'
import type { Settings } from '../settings.ts'
import { type Finding, failed, ok } from './finding.ts'
import { checkMints } from './mints.ts'
import { checkNetwork } from './network.ts'

export async function checkTokens(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  let identities: Identities
  try {
    identities = await createIdentities({
      settings,
      env,
      issuer: () => settings.issuer ?? settings.server,
      events: createEvents(),
      now: Date.now,
    })
  } catch (error) {
    return [failed('source', asFailure(error))]
  }
  const { source, all, tokens } = identities
  try {
    const [network, mints] = await Promise.all([
      source.name === 'local'
        ? [ok('network', 'the local source signs its tokens itself, and asks nothing of Google')]
        : checkNetwork(env),
      checkMints(all),
    ])
    return [ok('source', `${source.name}: ${source.why}`), ...network, ...mints]
  } finally {
    tokens.close()
  }
}
