/** Who mints here and whether that works, and, where it is Google, whether Google can be reached. */

import type { Settings } from '../config/settings.ts'
import { asFailure } from '../core/errors.ts'
import { createEvents } from '../core/events.ts'
import { createIdentities } from '../identity/identities.ts'
import { type Choice, chooseSource } from '../mint/choose.ts'
import { explainGcloudLogin } from '../mint/gcloud-login.ts'
import { checkRefresh, readCredentials } from './credentials.ts'
import { type Finding, failed, ok, warn } from './finding.ts'
import { checkMints } from './mints.ts'
import { checkNetwork } from './network.ts'
import { checkProjects } from './projects.ts'

export async function checkTokens(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const choice = chooseSource(settings, env)
  const found = choice.name === 'google' ? checkGoogle(settings, env) : checkWithoutGoogle(choice, settings, env)
  return [ok('source', `${choice.name}: ${choice.why}`), ...(await found)]
}

async function checkGoogle(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const credentials = await readCredentials(env)
  const { adc, finding, universe } = credentials
  const [refresh, network, mints] = await Promise.all([
    checkRefresh(credentials, settings, env),
    checkNetwork(env, universe),
    mintForEach(settings, env),
  ])
  const projects = adc === undefined ? [] : checkProjects(adc, mints, env)
  return [finding, ...refresh, ...projects, ...network, ...mints]
}

async function checkWithoutGoogle(choice: Choice, settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const network = ok('network', `Google is not asked from here: ${origin(choice)} is`)
  return [noCredentials(choice, settings, env), network, ...(await mintForEach(settings, env))]
}

function noCredentials(choice: Choice, { source }: Settings, env: NodeJS.ProcessEnv): Finding {
  const login = source === 'auto' ? explainGcloudLogin(env) : undefined
  return login === undefined
    ? ok('ADC', `none is needed: ${origin(choice)} gives the tokens`)
    : warn('ADC', login.message, login.fix)
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
