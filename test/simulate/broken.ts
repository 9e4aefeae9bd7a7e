/** Changes that break each invariant, to see that a simulation finds it. */

import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import type { Invariant } from './judge.ts'

export interface Broken {
  /** What the product does wrong with it. */
  wrong: string
  /** Of these one is found to be broken. */
  invariants: readonly Invariant[]
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
}

export const BROKEN: readonly Broken[] = [
  {
    wrong: 'a token is served until it ends',
    invariants: ['no token is expired or within its last minute'],
    file: 'src/mint/freshness.ts',
    find: 'const LEAST_LEFT_MS = MINUTE_MS',
    replace: 'const LEAST_LEFT_MS = 0',
  },
  {
    wrong: 'a token is served after a wait that outlasted it',
    invariants: ['no token is expired or within its last minute'],
    file: 'src/mint/cache.ts',
    find: " || this.#standingOf(entry, request) === 'spent'",
    replace: '',
  },
  {
    wrong: 'a clock that is set back makes tokens live longer',
    invariants: ['no token is expired or within its last minute', 'failures are forgotten'],
    file: 'src/mint/freshness.ts',
    find: 'setBackMs += lostMs',
    replace: 'setBackMs += 0',
  },
  {
    wrong: 'a clock that is set back while nobody asks makes tokens live longer',
    invariants: ['no token is expired or within its last minute', 'failures are forgotten'],
    file: 'src/mint/freshness.ts',
    find: ' || lostMs > SET_BACK_MS',
    replace: '',
  },
  {
    wrong: 'the key of an access token has no account',
    invariants: ["nothing of another's identity"],
    file: 'src/core/token.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a file.
    find: "access\\0${request.principal ?? ''}\\0",
    replace: 'access\\0\\0',
  },
  {
    wrong: 'a URL is remembered for everybody who asks',
    invariants: ["nothing of another's identity"],
    file: 'src/metadata/hits.ts',
    find: 'const byIdentity = new Map<object, Map<string, Hit>>()',
    replace:
      'const one = {}, all = new Map<object, Map<string, Hit>>(), byIdentity = { get: (_: object) => all.get(one), set: (_: object, hits: Map<string, Hit>) => all.set(one, hits), clear: () => all.clear() }',
  },
  {
    wrong: 'new settings change nobody',
    invariants: ["nothing of another's identity"],
    file: 'src/server/views.ts',
    find: '    view = next\n',
    replace: '',
  },
  {
    wrong: 'the key of an ID token has no format',
    invariants: ['nothing for another audience, format or scope'],
    file: 'src/core/token.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a file.
    find: '\\0${request.format}\\0',
    replace: '\\0\\0',
  },
  {
    wrong: 'another login leaves the tokens of the one before',
    invariants: ['nothing of another login'],
    file: 'src/identity/minting.ts',
    find: 'tokens.clear()\n',
    replace: '\n',
  },
  {
    wrong: 'a hit does not wait for the file that is being read',
    invariants: ['nothing of another login'],
    file: 'src/mint/cache.ts',
    find: 'return this.#options.look?.() === undefined ? this.#fresh(request, key) : undefined',
    replace: 'this.#options.look?.()\n    return this.#fresh(request, key)',
  },
  {
    wrong: 'a mint that began with the login before is kept',
    invariants: ['nothing of another login', 'failures are forgotten', 'one mint a key'],
    file: 'src/mint/cache.ts',
    find: 'if (this.#inFlight.get(key) === running) {',
    replace: 'if (running !== undefined) {',
  },
  {
    wrong: 'each request begins a mint',
    invariants: ['one mint a key'],
    file: 'src/mint/cache.ts',
    find: 'if (running !== undefined) return running.then(',
    replace: 'if (running === null) return (running as Promise<CachedToken>).then(',
  },
  {
    wrong: 'each hit begins a refresh',
    invariants: ['one mint a key'],
    file: 'src/mint/cache.ts',
    find: 'if (!this.#inFlight.has(key) && ',
    replace: 'if (',
  },
  {
    wrong: 'a passing fault is told although a token is at hand',
    invariants: ['no valid token is withheld'],
    file: 'src/mint/cache.ts',
    find: 'if (!asFailure(thrown).transient) throw thrown',
    replace: 'throw thrown',
  },
  {
    wrong: 'a request waits for its mint although a token is at hand',
    invariants: ['no valid token is withheld'],
    file: 'src/mint/cache.ts',
    find: 'const PATIENCE_MS = 300',
    replace: 'const PATIENCE_MS = 3_000',
  },
  {
    wrong: 'as many failures are remembered as there are',
    invariants: ['failures are forgotten'],
    file: 'src/mint/failure-memory.ts',
    find: 'new Eviction(limits,',
    replace: 'new Eviction({ keys: 1e9, bytes: 1e9 },',
  },
  {
    wrong: 'a failure is remembered for a minute',
    invariants: ['failures are forgotten'],
    file: 'src/mint/failure-memory.ts',
    find: 'const TRANSIENT_MEMORY_MS = 3_000',
    replace: 'const TRANSIENT_MEMORY_MS = 60_000',
  },
  {
    wrong: 'who waits for a mint that fails is left waiting',
    invariants: ['every waiter is answered'],
    file: 'src/mint/cache.ts',
    find: '        ended(error)\n        throw error\n',
    replace: '        ended(error)\n        return new Promise(() => {})\n',
  },
]

/** Loads the file with its change from now on. */
export function breakSource({ file, find, replace }: Broken): void {
  const broken = new URL(`../../${file}`, import.meta.url)
  const text = readFileSync(broken, 'utf8').split(find)
  if (text.length !== 2) throw new Error(`${file} has the text ${text.length - 1} times: ${find}`)
  registerHooks({
    load: (url, context, next) =>
      url === broken.href
        ? { format: 'module-typescript', source: text.join(replace), shortCircuit: true }
        : next(url, context),
  })
}
