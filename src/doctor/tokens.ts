/** Who mints here, whether it can, and the way to Google where it is Google that does. */

import { asFailure } from '../errors.ts'
import { createEvents } from '../events.ts'
import { createIdentities } from '../identities.ts'
import type { Settings } from '../settings.ts'
import { type Choice, chooseSource } from '../sources/choose.ts'
import { checkCredentials } from './credentials.ts'
import { type Finding, failed, ok } from './finding.ts'
import { checkMints } from './mints.ts'
import { checkNetwork } from './network.ts'

export async function checkTokens(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const choice = chooseSource(settings, env)
  const [credentials, network, mints] = await Promise.all([
    choice.name === 'google' ? checkCredentials(env) : [ok('ADC', `not looked for: tokens come from ${origin(choice)}`)],
    choice.name === 'google' ? checkNetwork(env) : [ok('network', `Google is not asked from here: ${origin(choice)} is`)],
    mintForEach(settings, env),
  ])
  return [
    ok('source', `${choice.name}: ${choice.why}`),
    ...credentials.map((finding) => toldBy(mints, finding, 'quota', 'QUOTA_PROJECT_DENIED')),
    ...(choice.name === 'google' ? [toldBy(mints, api(mints), 'API', 'API_DISABLED')] : []),
    ...network,
    ...mints,
  ]
}

function origin({ name, host }: Choice): string {
  return name === 'metadata' ? `the metadata server at ${host}` : "sidemint's own issuer"
}

async function mintForEach(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  try {
    const { all, tokens } = await createIdentities({
      settings,
      env,
      issuer: () => settings.issuer ?? settings.server,
      events: createEvents(),
      now: Date.now,
    })
    return await checkMints(all).finally(() => tokens.close())
  } catch (error) {
    return [failed('identities', asFailure(error))]
  }
}

/** Only a call of it tells whether an API is on. */
function api(mints: readonly Finding[]): Finding {
  const isAnswered = mints.some(({ status, claims }) => status === 'ok' && claims?.azp !== undefined)
  return ok('API', isAnswered ? 'iamcredentials.googleapis.com is on' : 'iamcredentials.googleapis.com gave no token yet')
}

/** What a mint was refused for, said under the name of what is to be mended. */
function toldBy(mints: readonly Finding[], finding: Finding, check: string, code: string): Finding {
  const refused = finding.check === check ? mints.find((mint) => mint.code === code) : undefined
  return refused === undefined ? finding : { ...refused, check }
}
