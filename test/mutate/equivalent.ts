/** Changes that no test can notice, since the program does the same with them. */

export interface Equivalent {
  file: string
  /** As `npm run mutate` prints it. */
  change: string
  why: string
}

const SET_BY_NODE = 'Node sets it on every request that a server has read: the other value is there for the type alone'

export const EQUIVALENT: readonly Equivalent[] = [
  { file: 'src/gate/event.ts', change: "method: req.method ?? ['' -> '~'],", why: SET_BY_NODE },
  {
    file: 'src/gate/exchange.ts',
    change: "return (req.url ?? ['/' -> '/~']).replace(/[?#].*$/, '')",
    why: SET_BY_NODE,
  },
  {
    file: 'src/gate/exchange.ts',
    change:
      "const [, authority, rest] = /^https?:\\/\\/(?:[^/?#]*@)?([^/?#]*)(.*)$/i.exec(req.url ?? ['' -> '~']) ?? []",
    why: SET_BY_NODE,
  },
  {
    file: 'src/gate/decision.ts',
    change: "const { here = ['' -> '~'], production } = lines ?? {}",
    why: 'without lines the fix is another sentence, which does not have them',
  },
  {
    file: 'src/gate/decision.ts',
    change: "production: production ?? ['' -> '~'],",
    why: 'without a line for production the fix is another sentence, which does not have it',
  },
  {
    file: 'src/gate/judge.ts',
    change: '[if (list.every(({ policy }) => policy === undefined)) return undefined -> nothing]',
    why: 'the reader of policies is loaded, and called for none of the gates: only the start takes longer',
  },
  {
    file: 'src/gate/request.ts',
    change:
      "return { refusal: failure('METHOD_UNSUPPORTED', { what: 'TRACE' }), isPublic: [false -> true], audience: '', principal: '' }",
    why: 'a call that is refused is told by the code of its refusal, whether the service is public or not',
  },
  {
    file: 'src/gate/server.ts',
    change: "const ADMIN = ['admin' -> 'admin~']",
    why: 'the port is put into the set by this name and asked for by it, and nobody else sees the name',
  },
  {
    file: 'src/gate/server.ts',
    change: "let adminUrl = ['' -> '~']",
    why: 'the first set of gates writes it before anybody can read it',
  },
  {
    file: 'src/identity/find.ts',
    change: 'return own ?? (byHost.size [> -> >=] 0 ? byHost.get(hostName(host)) : undefined) ?? everybodyElse',
    why: 'a look into an empty map finds nothing: the comparison only saves reading the name of the host',
  },
  {
    file: 'src/metadata/hits.ts',
    change: 'const secondsLeft = this.#question.showsLife ? Math.max(1, Math.floor(leftMs(token) / 1000)) : [0 -> 1]',
    why: 'an answer that does not show the life of its token does not read the seconds',
  },
]
