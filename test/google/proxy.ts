import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'

/** The connections through the proxy. */
export interface Connections {
  /** Since the start. */
  made: number
  open: number
  /** The most that were open at once. */
  most: number
}

/** A proxy that leads the known names to one TLS port of this machine and refuses, and names, all others. */
export function createProxy(
  hosts: readonly string[],
  port: () => number,
  strangers: string[],
  connections: Connections,
): Server {
  const server = createServer((request, response) => {
    strangers.push(`${request.url}`)
    response.writeHead(502).end('Bad Gateway')
  })
  server.on('connect', (request, socket, head) => {
    const name = request.url ?? ''
    if (!hosts.some((host) => name === `${host}:443`)) {
      strangers.push(name)
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
      return
    }
    connections.made += 1
    connections.open += 1
    connections.most = Math.max(connections.most, connections.open)
    socket.once('close', () => {
      connections.open -= 1
    })
    const upstream = connect(port(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.write(head)
      socket.pipe(upstream).pipe(socket)
    })
    upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
  })
  return server
}
