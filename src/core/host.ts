/** The name in a Host header, without port and final dot, in lower case: so names can be compared. */
export function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
}

/** A socket's peer address; an IPv4 address that is mapped into IPv6 is given as IPv4. */
export function peerAddress(remoteAddress: string | undefined): string {
  return (remoteAddress ?? '').replace(/^::ffff:/, '')
}

/** Where a server listens, and where our commands look for one, unless something says otherwise. */
export const DEFAULT_PORT = 16925
export const DEFAULT_URL = `http://127.0.0.1:${DEFAULT_PORT}`

/** Whether an address to listen on stands for all of the host's. */
export function listensEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** The address by which this host reaches a listener: loopback where it listens on every interface. */
export function reachable(host: string): string {
  if (listensEverywhere(host)) return host === '::' ? '[::1]' : '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
