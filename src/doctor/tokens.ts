/** Who mints here, whether it can, and the way to Google where it is Google that does. */

import type { Settings } from '../config/settings.ts'
import { asFailure } from '../core/errors.ts'
import { createEvents } from '../core/events.ts'
import { createIdentities } from '../identity/identities.ts'
import { type Choice, chooseSource } from '../mint/choose.ts'
import { gcloudLogin } from '../mint/gcloud-login.ts'
import { type Credentials, checkCredentials } from './credentials.ts'
import { type Finding, failed, ok, warn } from './finding.ts'
import { checkMints } from './mints.ts'
import { checkNetwork } from './network.ts'
import { checkProjects } from './projects.ts'

export async function checkTokens(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const choice = chooseSource(settings, env)
  const isGoogle = choice.name === 'google'
  const [credentials, network, mints] = await Promise.all([
    isGoogle ? checkCredentials(env) : noCredentials(choice, settings, env),
    isGoogle ? checkNetwork(env) : [ok('network', `Google is not asked from here: ${origin(choice)} is`)],
    mintForEach(settings, env),
  ])
  return [
    ok('source', `${choice.name}: ${choice.why}`),
    ...credentials.findings,
    ...(credentials.adc === undefined ? [] : checkProjects(credentials.adc, mints, env)),
    ...network,
    ...mints,
  ]
}

function noCredentials(choice: Choice, { source }: Settings, env: NodeJS.ProcessEnv): Credentials {
  const login = source === 'auto' ? gcloudLogin(env) : undefined
  const none = `none is needed: ${origin(choice)} gives the tokens`
  if (login === undefined) return { findings: [ok('ADC', none)] }
  const what = `gcloud is logged in (${login}), but only for itself: libraries, and sidemint, need the other login`
  return { findings: [warn('ADC', what, 'gcloud auth application-default login')] }
}

function origin(choice: Choice): string {
  return choice.name === 'metadata' ? `the metadata server at ${choice.host}` : "sidemint's own issuer"
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
