/**
 * The identities of a server, and who mints for them. What kind of credential an identity has is settled here, before any
 * request.
 */

import { isDefault } from '../config/identity-checks.ts'
import type { Settings } from '../config/settings.ts'
import { standardProject } from '../config/standard.ts'
import { isCidr } from '../core/cidr.ts'
import { withFix } from '../core/errors.ts'
import { describeAdc } from '../mint/adc.ts'
import type { CachedSource } from '../mint/cache.ts'
import type { Choice } from '../mint/choose.ts'
import type { Credentials } from '../mint/credentials.ts'
import { universeOf } from '../mint/universe.ts'
import { advise, findOwnLogin } from './advice.ts'
import { createFinder, type FindIdentity } from './find.ts'
import { createIdentity, createOwnIdentity, describeInherited, type Identity, listNamed } from './identity.ts'
import { createMinting, type LocalIssuer, type Minting, type MintingOptions } from './minting.ts'
import { projectOfEmail } from './project.ts'

export interface Identities {
  /** Who mints, and why this one. */
  source: Pick<Choice, 'name' | 'why'>
  /** The credentials in a few words, or what is wrong with them; only with the google source. */
  credentials: string | undefined
  /** The same as it is now, without the path of a file; undefined where the source is another. */
  login(): { about: string } | { code: string; fix: string } | undefined
  /** A person's login that an identity stands for now, in words; undefined where each is an account. */
  ownLogin(): string | undefined
  /** In words, whether gcloud's variable names the default identity; undefined where it is not set. */
  inherited: string | undefined
  /** What a user should know at the start, in sentences with a fix. */
  advice: readonly string[]
  all: readonly Identity[]
  /** The default identity, else the first. */
  primary: Identity
  /** Whether a caller's name must be known before `find`. */
  needNames: boolean
  find: FindIdentity
  /** The tree's. */
  project: string
  /** The same where something names it; undefined where it is made up. */
  namedProject: string | undefined
  projectNumber: string
  /** The universe of the tokens. */
  universe: string
  local: LocalIssuer | undefined
  tokens: CachedSource
  /** Makes ready what the first mint for these needs, with the google source. Throws as a mint does. */
  warm(signal: AbortSignal): Promise<void>
  /** The identities of other settings, with the same credentials and the same tokens. They count from `enter` on. */
  renew(settings: Settings): Identities
  /** Delegates are looked up here from now on, and changed credentials make the default identity of these anew. */
  enter(): void
}

export interface IdentitiesOptions extends Omit<MintingOptions, 'delegatesOf' | 'onChange' | 'onDate'> {
  /** Called once there are other credentials. */
  onChange?: () => void
  /** Called with the minter's clock, epoch ms. */
  onDate?: (epochMs: number) => void
}

/** Shown where nothing names a project: the tree must have one (docs/wire.md, "The Cloud Run tree"). */
const NO_PROJECT = 'sidemint-local'
const NO_PROJECT_NUMBER = '123456789012'

/** Throws where a key file is unusable. */
export async function createIdentities(options: IdentitiesOptions): Promise<Identities> {
  const { settings, env, onChange, onDate = () => {} } = options
  let inForce: IdentitySet | undefined
  const minting = await createMinting({
    ...options,
    delegatesOf: (principal) => inForce?.delegatesOf(principal) ?? [],
    onDate,
    onChange() {
      inForce?.credentialsChanged()
      onChange?.()
    },
  })
  const describe = (named: Settings): Identities => {
    const set = createSet(named, env, minting)
    return {
      ...set.identities,
      renew: describe,
      enter() {
        inForce = set
        // What failed before may be what these settings mend.
        minting.tokens.forgetFailures()
      },
    }
  }
  const first = describe(settings)
  first.enter()
  return first
}

/** What follows from the settings while the credentials stay. */
interface IdentitySet {
  identities: Omit<Identities, 'renew' | 'enter'>
  delegatesOf(principal: string): readonly string[] | undefined
  credentialsChanged(): void
}

function createSet(settings: Settings, env: NodeJS.ProcessEnv, minting: Minting): IdentitySet {
  const { named, needsDefault } = listNamed(settings, env)
  const chains = new Map(named.map(({ serviceAccount, delegates }) => [serviceAccount, delegates]))
  const namedProject = findProject(settings, env, minting, named.find(isDefault)?.serviceAccount)
  const project = namedProject ?? NO_PROJECT
  const all = needsDefault
    ? [createDefault(minting, project)]
    : named.map((entry) => createIdentity(entry, minting.tokens))
  const ownLogin = () => findOwnLogin(minting, all)
  let find = createFinder(all)
  const identities = {
    source: minting.choice,
    credentials: describeCredentials(minting.credentials),
    login: () => loginOf(minting.credentials),
    ownLogin,
    inherited: describeInherited(settings, env),
    advice: advise({
      minting,
      env,
      isLocalAsked: settings.source === 'local',
      refusedLogin: settings.allowUserTokens ? undefined : ownLogin(),
      inventedProject: namedProject === undefined ? project : undefined,
    }),
    all,
    primary: all.find((identity) => identity.isDefault) ?? (all[0] as Identity),
    needNames: all.some(({ callers }) => callers.some((caller) => !isCidr(caller))),
    find: ((sender) => find(sender)) satisfies FindIdentity,
    project,
    namedProject,
    projectNumber: settings.projectNumber ?? NO_PROJECT_NUMBER,
    universe: minting.credentials?.adc()?.universe ?? universeOf(undefined, env),
    local: minting.local,
    tokens: minting.tokens,
    warm: (signal: AbortSignal) => {
      const principals = all.map(({ principal }) => principal)
      return minting.warm(principals, signal)
    },
  }
  return {
    identities,
    delegatesOf: (principal) => chains.get(principal),
    credentialsChanged() {
      if (needsDefault) find = createFinder([createDefault(minting, project)])
    },
  }
}

/** Made again with every change of the credentials, so that what it shows and what it mints change together. */
function createDefault({ local, tokens, ownEmail }: Minting, project: string): Identity {
  return local === undefined
    ? createOwnIdentity(ownEmail(), tokens)
    : createIdentity(
        {
          serviceAccount: `default@${project}.iam.gserviceaccount.com`,
          delegates: [],
          callers: [],
          hosts: [],
          accounts: [],
        },
        tokens,
      )
}

/** With Google credentials, the default account's project is likelier than one that we make up. */
function findProject(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  { local, credentials, ownEmail }: Minting,
  namedEmail: string | undefined,
): string | undefined {
  const adc = credentials?.adc()
  const email = local === undefined ? (namedEmail ?? ownEmail()) : undefined
  return settings.project ?? standardProject(env) ?? adc?.project ?? adc?.quotaProject ?? projectOfEmail(email ?? '')
}

function loginOf(credentials: Credentials | undefined): ReturnType<Identities['login']> {
  const { code, fix } = credentials?.broken() ?? {}
  if (code !== undefined && fix !== undefined) return { code, fix }
  const adc = credentials?.adc()
  return adc && { about: describeAdc(adc) }
}

function describeCredentials(credentials: Credentials | undefined): string | undefined {
  const broken = credentials?.broken()
  if (broken !== undefined) return `${broken.code}: ${withFix(broken)}`
  const adc = credentials?.adc()
  return adc && describeAdc(adc)
}
