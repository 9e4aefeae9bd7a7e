import { createServer, type Server } from 'node:http'

/** The connections through the proxy. */
export interface Connections {
  /** Since the start. */
  made: number
  open: number
  /** The most that were open at once. */
  most: number
}

/**
 * A proxy that hands connections to the known names over to that server itself, which spares a second connection, and
 * refuses, and names, all others.
 */
export function createProxy(
  hosts: readonly string[],
  google: Server,
  strangers: string[],
  connections: Connections,
): Server {
  const server = createServer((request, response) => {
    strangers.push(`${request.url}`)
    response.writeHead(502).end('Bad Gateway')
  })
  server.on('connect', (request, socket, head) => {
    // Who goes away meanwhile is no fault of the proxy's.
    socket.on('error', () => {})
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
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    socket.unshift(head)
    google.emit('connection', socket)
  })
  return server
}
