/** What decides for a gate, without the service behind it: its rules, policy and verifier. */

import { asFailure, asProblem, failure } from '../core/errors.ts'
import { createNotice, type Events, type GateWants } from '../core/events.ts'
import { type ReadFile, takeSnapshot } from '../core/snapshot.ts'
import { accountId } from '../issuer/account-id.ts'
import { type Decision, decide, type Rules } from './decision.ts'
import { bindingLine, listLine, type Place, shellWord } from './lines.ts'
import type { GateOptions } from './options.ts'
import { lineOf, spellingOf } from './origin.ts'
import type { OwnIssuer } from './own-issuer.ts'
import { createPolicy } from './policy.ts'
import type { PolicyFile } from './policy-file.ts'
import type { SignersOptions } from './signers.ts'
import { createVerifier, type Verifier } from './verifier.ts'

export interface Judge {
  gate: GateOptions
  wants: GateWants
  /** Where the services run in production. */
  place: Place
  /** `rawHeaders` as Node has them. Never rejects. */
  decide(rawHeaders: readonly string[]): Decision | Promise<Decision>
}

export interface JudgesOptions {
  /** Gets notices about policies. */
  events: Events
  /** Epoch ms. Default: the clock. */
  now?: () => number
  /** The issuer in this process, whose keys are not fetched where a gate trusts it. */
  own?: OwnIssuer | undefined
  /** The keys of other issuers, which outlive a set of settings: an issuer may be away while a file is saved. */
  fetched?: SignersOptions['fetched']
  /** What reads policies. Default: the disk. */
  readFile?: ReadFile | undefined
  /** Where the services run in production, for lines to copy. */
  place?: Place
  /** The server that prints tokens for these gates. Default: the one that commands ask by default. */
  server?: string | undefined
}

interface Parts {
  events: Events
  now: () => number
  own: OwnIssuer | undefined
  place: Place
  server: string | undefined
  verifierFor: (trust: readonly string[]) => Verifier
  readPolicy: ((path: string, setting: string) => PolicyFile) | undefined
}

/** Throws SETTINGS_INVALID with everything that is wrong with the gates' policies. */
export async function createJudges(list: readonly GateOptions[], options: JudgesOptions): Promise<Judge[]> {
  const {
    events,
    now = Date.now,
    own,
    fetched = new Map(),
    readFile = takeSnapshot().read,
    place = {},
    server,
  } = options
  const readPolicy = await policyReader(list, readFile)
  const parts = { events, now, own, place, server, verifierFor: createVerifiers({ now, own, fetched }), readPolicy }
  const problems: string[] = []
  const judges = list.flatMap((gate) => {
    try {
      return [judgeFor(gate, parts)]
    } catch (error) {
      problems.push(`${gate.host === undefined ? '' : `${gate.host}: `}${asProblem(asFailure(error))}`)
      return []
    }
  })
  if (problems.length > 0) throw failure('SETTINGS_INVALID', { problems: problems.join('\n') })
  return judges
}

/** One verifier for all gates that trust the same issuers, so that their keys are fetched once. */
function createVerifiers(shared: Omit<SignersOptions, 'trust'>): (trust: readonly string[]) => Verifier {
  const verifiers = new Map<string, Verifier>()
  return (trust) => {
    const key = JSON.stringify(trust)
    const verifier = verifiers.get(key) ?? createVerifier({ ...shared, trust })
    verifiers.set(key, verifier)
    return verifier
  }
}

/** Loaded only where there is a policy file: it brings the YAML parser. */
async function policyReader(list: readonly GateOptions[], readFile: ReadFile): Promise<Parts['readPolicy']> {
  if (list.every(({ policy }) => policy === undefined)) return undefined
  const { readPolicyFile } = await import('./policy-file.ts')
  return (path, setting) => readPolicyFile(path, setting, readFile)
}

function judgeFor(gate: GateOptions, parts: Parts): Judge {
  const { events, now, place, verifierFor, readPolicy: read } = parts
  const { audiences, gcloudAudiences, trust, invokers, policy: path, groups } = gate
  const spell = spellingOf(gate)
  const policy = createPolicy({
    invokers,
    ...(path === undefined || read === undefined ? {} : { file: { path, read } }),
    groups,
    spell,
    notice: createNotice(events, now),
  })
  const rules = rulesOf(gate, parts)
  const verifier = verifierFor(trust)
  return {
    gate,
    wants: { audiences, trust, gcloudAudiences, invokers },
    place,
    decide: (rawHeaders) => decide(rawHeaders, rules, policy, verifier),
  }
}

function rulesOf(gate: GateOptions, { own, place, server }: Parts): Rules {
  const { audiences, gcloudAudiences, subjects, trust, invokers, host } = gate
  const [subjectsOf] = trust
  const accounts = new Map(own?.accounts.map((email) => [accountId(email), email]))
  // A flag may be repeated; a list of the file is written as a whole.
  const line = (setting: 'invoker' | 'subject', before: readonly string[], added: string) =>
    host === undefined ? `--${setting}=${shellWord(added)}` : listLine(setting, before, added)
  return {
    server,
    audiences,
    gcloudAudiences,
    subjectsOf,
    emailOf(sub, trusted) {
      const listed = trusted === subjectsOf ? subjects[sub] : undefined
      return listed ?? (trusted === own?.issuer ? accounts.get(sub) : undefined)
    },
    spell: spellingOf(gate),
    lineOf: lineOf(gate),
    grant: (member) => ({
      here: line('invoker', invokers, member),
      production: bindingLine(host ?? '', member, place),
    }),
    nameSubject: (sub) =>
      line(
        'subject',
        Object.entries(subjects).map((pair) => pair.join('=')),
        `${sub}=EMAIL`,
      ),
  }
}
