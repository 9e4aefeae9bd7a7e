/** A DNS server that knows one name, on 127.0.0.1:53 of its network namespace. A final dot does not reach the wire. */

import { createSocket } from 'node:dgram'

const NAME = 'metadata.google.internal'
const ADDRESS = [169, 254, 169, 254]
const TYPE_A = 1
/** RFC 1035, 4.1.1: a response, recursion desired and available, code 0; 3 is "no such name". */
const ANSWERED = 0x8180
const NO_SUCH_NAME = 0x8183
/** RFC 1035, 4.1.3 and 4.1.4: the question's name, type A, class IN, 60 seconds, four bytes. */
const RECORD = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, ...ADDRESS])

const socket = createSocket('udp4', (query, { port, address }) => socket.send(answer(query), port, address))
socket.bind(53, '127.0.0.1', () => console.log('ready'))

function answer(query: Buffer): Buffer {
  const { name, end } = readName(query)
  const known = name.toLowerCase() === NAME
  const records = known && query.readUInt16BE(end) === TYPE_A ? [RECORD] : []
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(known ? ANSWERED : NO_SUCH_NAME, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, query.subarray(12, end + 4), ...records])
}

function readName(query: Buffer): { name: string; end: number } {
  const labels = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}
