/**
 * Mints with one set of credentials. Impersonation is one call of our own to IAM Credentials, with the access token of
 * the credential: it needs one permission and no grant of the account on itself (docs/minting.md, "Impersonation").
 */

import type { Settings } from '../../config/settings.ts'
import { failure } from '../../core/errors.ts'
import type { Token, TokenRequest } from '../../core/token.ts'
import { type Credential, isPersonal, rootOf } from '../adc.ts'
import { type Bounds, OutOfTime } from '../bounded.ts'
import { DEFAULT_UNIVERSE } from '../universe.ts'
import { createBearers } from './bearers.ts'
import type { Client } from './client.ts'
import { createClients, type Machine, type RootCredential } from './clients.ts'
import { type Attempt, explainRefusal, type Holder } from './failures.ts'
import { CLOUD_PLATFORM, createIam, type Iam, type Impersonation, scopesOf } from './iam.ts'
import { cannotMint, refusePerson } from './personal.ts'
import { Refusal } from './refusal.ts'
import { createTransport } from './transport.ts'

export interface MinterOptions {
  /** Where the proxy variables are read from, and whether a credential may run a program. */
  env: NodeJS.ProcessEnv
  credential: Credential | Machine
  /** The universe of the credential. Default: googleapis.com. */
  universe?: string | undefined
  /** Sent as x-goog-user-project. */
  quotaProject: string | undefined
  settings: Pick<Settings, 'allowUserTokens'>
  bounds: Bounds
  /** Called for every answer of Google's, with Google's clock (its Date header, epoch ms). */
  onDate: (googleMs: number) => void
  /** Epoch ms. */
  now: () => number
}

/** Whom a token speaks for: the credential itself, or a principal that it impersonates. */
export type Speaker = { own: true } | { own: false; principal: string; delegates: readonly string[] }

export interface Minter {
  /** Throws a SidemintError. `closing` ends the mint. */
  mint(request: TokenRequest, speaker: Speaker, closing?: AbortSignal): Promise<Token>
  /**
   * Makes ready what a mint for that speaker begins with: connections, and the credential's access token where it
   * impersonates. Nothing where every mint would be refused. Throws as `mint` does.
   */
  warm(speaker: Speaker, closing?: AbortSignal): Promise<void>
}

/** A credential, or an impersonation on top of one. */
type SourceCredential = RootCredential | ImpersonatedCredential

interface ImpersonatedCredential extends Impersonation {
  kind: 'impersonated'
  source: SourceCredential
}

export function createMinter(options: MinterOptions): Minter {
  const { credential, universe = DEFAULT_UNIVERSE, quotaProject, settings, now } = options
  const transport = createTransport({ ...options, universe })
  const iam = createIam({ ...options, transport, universe })
  const clientOf = createClients({ ...options, transport, iam, universe })
  const explained = createExplainer(clientOf, quotaProject)
  const { impersonate, bearerOf } = createImpersonate({ iam, clientOf, explained, now })

  /** The credential, where it is a person's and those are not given out. */
  function withheld(source: RootCredential) {
    return source.kind !== 'machine' && !settings.allowUserTokens && isPersonal(source) ? source : undefined
  }

  async function mintOwn(source: SourceCredential, request: TokenRequest): Promise<Token> {
    if (source.kind === 'impersonated') return impersonate(source, request)
    const person = withheld(source)
    if (person !== undefined) throw refusePerson(person, request, clientOf)
    const client = clientOf(source)
    return explained(source, { kind: request.kind }, async () => {
      if (request.kind === 'access') return client.accessToken(scopesOf(request))
      if (client.idToken === undefined) throw cannotMint(client)
      return client.idToken(request.audience)
    })
  }

  async function warm(through: SourceCredential): Promise<void> {
    if (through.kind === 'impersonated') await Promise.all([bearerOf(through.source), iam.connect()])
    else if (clientOf(through).idToken !== undefined && withheld(through) === undefined) await bearerOf(through)
  }

  const run = <T>(closing: AbortSignal | undefined, work: () => Promise<T>) =>
    transport.run(closing, work).catch((thrown: unknown) => {
      throw thrown instanceof OutOfTime ? failure('SOURCE_TIMEOUT', {}) : thrown
    })

  return {
    mint: (request, speaker, closing) =>
      run(closing, () =>
        speaker.own ? mintOwn(credential, request) : impersonate(onTopOf(credential, speaker), request),
      ),
    warm: (speaker, closing) => run(closing, () => warm(speaker.own ? credential : onTopOf(credential, speaker))),
  }
}

type ClientOf = (root: RootCredential) => Client
type Doing = Pick<Attempt, 'kind' | 'target' | 'delegates'>
type Explained = (source: SourceCredential, doing: Doing, attempt: () => Promise<Token>) => Promise<Token>

/** Runs an attempt, and explains its refusal to the owner of the credential. */
function createExplainer(clientOf: ClientOf, quotaProject: string | undefined): Explained {
  const holderOf = (source: SourceCredential): Holder =>
    source.kind === 'impersonated'
      ? { name: source.email, member: `serviceAccount:${source.email}` }
      : clientOf(source).holder()
  return async (source, doing, attempt) => {
    try {
      return await attempt()
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      throw explainRefusal(thrown, { ...doing, holder: holderOf(source), form: rootOf(source).kind, quotaProject })
    }
  }
}

interface ImpersonateParts {
  iam: Iam
  clientOf: ClientOf
  explained: Explained
  now: () => number
}

function createImpersonate({ iam, clientOf, explained, now }: ImpersonateParts) {
  const bearers = createBearers(fetchBearer, now)

  function fetchBearer(source: SourceCredential): Promise<Token> {
    return source.kind === 'impersonated'
      ? impersonate(source, { kind: 'access', principal: source.email, scopes: [CLOUD_PLATFORM] })
      : explained(source, { kind: 'access' }, async () => clientOf(source).accessToken([CLOUD_PLATFORM]))
  }

  /** A kept bearer may have been revoked meanwhile, so one that Google refuses with 401 is replaced. */
  function impersonate(through: ImpersonatedCredential, request: TokenRequest): Promise<Token> {
    const { source, email: target, delegates } = through
    return explained(source, { kind: request.kind, target, delegates }, async () => {
      const kept = bearers.kept(source)
      if (kept !== undefined) {
        try {
          return await iam.generate(through, request, kept)
        } catch (thrown) {
          if (!(thrown instanceof Refusal && thrown.status === 401)) throw thrown
        }
      }
      return iam.generate(through, request, await bearers.fresh(source))
    })
  }

  const bearerOf = async (source: SourceCredential) => bearers.kept(source) ?? bearers.fresh(source)
  return { impersonate, bearerOf }
}

function onTopOf(source: SourceCredential, speaker: Exclude<Speaker, { own: true }>): ImpersonatedCredential {
  const { principal: email, delegates } = speaker
  return { kind: 'impersonated', email, delegates, source }
}
