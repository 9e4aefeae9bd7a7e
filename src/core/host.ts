/** The name in a Host header, without port and final dot, in lower case: so names can be compared. */
export function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
}

/** A socket's peer address; an IPv4 address that is mapped into IPv6 is given as IPv4. */
export function peerAddress(remoteAddress: string | undefined): string {
  return (remoteAddress ?? '').replace(/^::ffff:/, '')
}

/** The address by which this host reaches a listener: loopback where it listens on every interface. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
