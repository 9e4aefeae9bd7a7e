/** The arguments for curl: the one URL that the token is for, and none that would send the token elsewhere. */

import { plainly } from '../core/schemas.ts'

/**
 * These would send the token elsewhere: to further URLs, where a file says, after a redirect to another host, or through a
 * proxy, which can read what is sent to an http URL. A proxy in the variables is the user's own choice for everything.
 */
const LEADS_AWAY =
  /^(url|next|config|location-trusted|request-target|preproxy|proxy|proxy1\.0|socks(4a?|5|5-hostname))$/

/** These connect to another host than the URL's. Only a certificate shows then who it is. */
const REROUTES = /^(connect-to|resolve|unix-socket|abstract-unix-socket|doh-url|dns-servers)$/

/** A host name or an IP literal as the URL standard writes it: nothing that curl could read as two hosts. */
const PLAIN_HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])$/

/**
 * The URL, or what is wrong with it. Every reader of URLs must find the same host in it: the URL standard reads
 * `http://good.example\@other.example/` as good.example, curl 7.88 as other.example (measured). So curl gets the URL as it
 * was parsed here.
 */
export function readUrl(text: string): URL | string {
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null
  if (url === null) return "must be a URL with http:// or https://; curl's own arguments follow it"
  if (/[\\\s\p{Cc}]/u.test(text)) return 'has a backslash, a space or a control character; percent-encode it'
  if (url.username !== '' || url.password !== '' || /^https?:\/\/[^/?#]*@/i.test(text)) {
    return 'has a user before its host, but the token is the only credential; leave it out'
  }
  return PLAIN_HOST.test(url.hostname) ? url : `has no plain host name: ${url.hostname}`
}

export interface CurlOptions {
  /** Long names by their letters. */
  letters: ReadonlyMap<string, string>
  /** By its long name, whether an option takes a value. */
  takesValue: ReadonlyMap<string, boolean>
}

/** The options of the installed curl, from `curl --help all`: ` -d, --data <data>  HTTP POST data`. A value is in angle or square brackets. */
export function readCurlOptions(help: string): CurlOptions {
  const letters = new Map<string, string>()
  const takesValue = new Map<string, boolean>()
  for (const [, letter, name = '', value] of help.matchAll(/^ *(?:-(\S), )? *--([\w.-]+)( [<[])?/gm)) {
    if (letter !== undefined) letters.set(letter, name)
    takesValue.set(name, value !== undefined)
  }
  return { letters, takesValue }
}

/** What is wrong with curl's own arguments, or undefined. An option that this curl does not know is refused, as by curl. */
export function findLeak(url: URL, rest: readonly string[], options: CurlOptions): string | undefined {
  const named: { argument: string; name: string }[] = []
  for (let index = 0; index < rest.length; index++) {
    const argument = rest[index] ?? ''
    if (argument === '--') continue
    if (!/^-./.test(argument) || rest.slice(0, index).includes('--')) {
      return `${plainly(argument)}: the token is for one URL, the first argument; run sidemint curl again for another one`
    }
    const given = argument.startsWith('--') ? readLong(argument.slice(2), options) : readLetters(argument, options)
    if (given === undefined)
      return `${plainly(argument)}: this curl's own help names no such option; write it out in full`
    const away = given.names.find((name) => LEADS_AWAY.test(name))
    if (away !== undefined) {
      return `${plainly(argument)}: would take the token to another URL (--${away}); use curl and \`sidemint token\` for it`
    }
    named.push(...given.names.map((name) => ({ argument, name })))
    if (given.valueFollows) index += 1
  }
  const unproven =
    url.protocol === 'http:' ? 'an http URL' : named.some(({ name }) => name === 'insecure') && '--insecure'
  const rerouted = named.find(({ name }) => REROUTES.test(name))
  if (!unproven || rerouted === undefined) return undefined
  return `${plainly(rerouted.argument)}: may take the token to another host (--${rerouted.name}), and with ${unproven} no certificate shows whose it is; name that host in the URL, with --audience for the token`
}

interface Given {
  names: string[]
  /** The next argument is its value. */
  valueFollows: boolean
}

/** `--no-NAME` switches an option off; `--expand-NAME`, of curl 8.3, fills variables into its value. */
function readLong(written: string, { takesValue }: CurlOptions): Given | undefined {
  if (takesValue.has(written)) return { names: [written], valueFollows: takesValue.get(written) === true }
  const [, prefix, name = ''] = /^(no|expand)-(.*)$/.exec(written) ?? []
  if (!takesValue.has(name)) return undefined
  return prefix === 'no' ? { names: [], valueFollows: false } : { names: [name], valueFollows: true }
}

/** Letters may stand together, and a value may follow its letter: `-sSLo file`, `-ofile`. */
function readLetters(argument: string, { letters, takesValue }: CurlOptions): Given | undefined {
  const names: string[] = []
  for (let at = 1; at < argument.length; at++) {
    const name = letters.get(argument.charAt(at))
    if (name === undefined) return undefined
    names.push(name)
    if (takesValue.get(name) === true) return { names, valueFollows: at === argument.length - 1 }
  }
  return { names, valueFollows: false }
}
