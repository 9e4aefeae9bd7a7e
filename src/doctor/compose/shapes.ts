/**
 * Reads the several forms that a compose file has for one thing. Docker's `config` prints the long forms;
 * `--no-interpolate` and podman-compose leave short ones, as does the file's own text.
 */

export interface Mount {
  /** On the host; empty for an anonymous volume. */
  source: string
  /** In the container. */
  target: string
  isReadOnly: boolean
}

export interface Port {
  /** Address on the host; empty: all of them. */
  hostAddress: string
  /** On the host; empty: a free one, or not known. */
  published: string
  /** In the container. */
  target: string
  /** `tcp` where nothing else is said. */
  protocol: string
  /** For people. */
  text: string
}

export interface Attachment {
  network: string
  aliases: string[]
  address: string
}

export type Data = Record<string, unknown>

export function asData(value: unknown): Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Data) : {}
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
}

export function asText(value: unknown): string {
  return typeof value === 'object' || value === undefined ? '' : String(value)
}

/** Whether a text, or one within the data, has a variable that is still open: `$X` or `${X}`, but not `$$X`. */
export function hasVariable(data: unknown): boolean {
  if (typeof data === 'string') return /(?<!\$)(?:\$\$)*\$[{A-Za-z_]/.test(data)
  return typeof data === 'object' && data !== null && Object.values(data).some(hasVariable)
}

/** The colon of a `${X:-default}` is not a separator. */
function withoutDefaults(text: string): string {
  return text.replace(/\$\{(\w+)[^{}]*\}/g, '$$$1').replace(/\$\{(\w+)[^{}]*\}/g, '$$$1')
}

/** `command` and `entrypoint`: a list of words, or a line, which is split at spaces. */
export function readWords(value: unknown): string[] {
  return Array.isArray(value) ? value.map(asText) : asText(value).split(/\s+/).filter(Boolean)
}

/** A map, or a list of `NAME=value`. A name without a value, which takes the shell's, is left out. */
export function readEnvironment(value: unknown): Record<string, string> {
  const pairs = Array.isArray(value)
    ? value.map(asText).map((line): [string, unknown] => {
        const [name = '', ...rest] = line.split('=')
        return [name, rest.length === 0 ? undefined : rest.join('=')]
      })
    : Object.entries(asData(value))
  return Object.fromEntries(
    pairs.flatMap(([name, set]) => (set === undefined || set === null ? [] : [[name, asText(set)]])),
  )
}

/** `source:target[:mode]`, `target`, or a map. A Windows drive keeps its colon. */
export function readMount(value: unknown): Mount {
  const { source, target, read_only } = asData(value)
  if (target !== undefined) return { source: asText(source), target: asText(target), isReadOnly: read_only === true }
  const text = withoutDefaults(asText(value))
  const match = /^((?:[A-Za-z]:[\\/])?[^:]*):([^:]+)(?::([^:]*))?$/.exec(text)
  if (match === null) return { source: '', target: text, isReadOnly: false }
  return { source: match[1] ?? '', target: match[2] ?? '', isReadOnly: /\bro\b/.test(match[3] ?? '') }
}

/** `[[address:][published]:]target[/protocol]`, or a map. */
export function readPort(value: unknown): Port {
  const { host_ip, published, target, protocol } = asData(value)
  if (target !== undefined) {
    const parts = [host_ip, published, target].filter((part) => part !== undefined).map(asText)
    return {
      hostAddress: asText(host_ip),
      published: asText(published),
      target: asText(target),
      protocol: asText(protocol) || 'tcp',
      text: parts.join(':'),
    }
  }
  const text = withoutDefaults(asText(value))
  const match = /^(?:\[([^\]]+)\]|([^:]+)):[^:]*:[^:]+$/.exec(text)
  const [, onHost = ''] = /(?:^|:)([^:]*):[^:]+$/.exec(text) ?? []
  return {
    hostAddress: match?.[1] ?? match?.[2] ?? '',
    published: onHost,
    target: text.replace(/^.*:|\/\w+$/g, ''),
    protocol: /\/(\w+)$/.exec(text)?.[1] ?? 'tcp',
    text,
  }
}

/** A list of names, or a map of names to aliases and addresses; none: the default network. */
export function readNetworks(value: unknown): Attachment[] {
  const named = Array.isArray(value)
    ? value.map((name): [string, unknown] => [asText(name), undefined])
    : Object.entries(asData(value))
  const attachments = named.map(([network, more]) => {
    const { aliases, ipv4_address } = asData(more)
    return { network, aliases: asList(aliases).map(asText), address: asText(ipv4_address) }
  })
  return attachments.length > 0 ? attachments : [{ network: 'default', aliases: [], address: '' }]
}

/** A list of `name:address` or `name=address`, or a map, as names to addresses. An IPv6 address may have brackets. */
export function readExtraHosts(value: unknown): Map<string, string> {
  const pairs = Array.isArray(value)
    ? value.map((line) => /^([^:=]*)[:=]?(.*)$/.exec(asText(line))?.slice(1) ?? [])
    : Object.entries(asData(value)).map(([name, address]) => [name, asText(asList(address)[0])])
  return new Map(pairs.map(([name = '', address = '']) => [name, address.replace(/^\[|\]$/g, '')]))
}

/** A list of `SERVICE` or `SERVICE:NAME`, as names to services. */
export function readLinks(value: unknown): Map<string, string> {
  return new Map(
    asList(value).map((link) => {
      const [service = '', name = service] = asText(link).split(':')
      return [name, service]
    }),
  )
}

/** A list of names, or a map of names to conditions. */
export function readDependsOn(value: unknown): Map<string, string> {
  if (Array.isArray(value)) return new Map(value.map((name) => [asText(name), 'service_started']))
  const conditions = Object.entries(asData(value))
  return new Map(conditions.map(([name, more]) => [name, asText(asData(more).condition) || 'service_started']))
}
