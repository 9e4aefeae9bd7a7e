/** Odd HTTP by a seed: nearly anything that a client or a server may put on a connection. */

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'QUERY',
  'CONNECT',
  'PRI',
  'G\x01T',
]
export const TARGETS = [
  '/',
  '*',
  '//',
  '/a?b',
  'http://odd/x',
  'http://odd',
  'http://[',
  'x://[/',
  'odd:80',
  '/\xff',
  '/%zz',
  '',
  '/a b',
]
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'ICY', '']
const STATUSES = [
  '200',
  '200',
  '204',
  '205',
  '304',
  '302',
  '307',
  '100',
  '101',
  '103',
  '199',
  '000',
  '099',
  '42',
  '599',
  '999',
  '1000',
  'abc',
  '',
]
const REASONS = ['OK', '', 'O\x01K', '\xff\xfe', 'a\tb', 'x'.repeat(5_000), '\x7f']
const REDIRECTS = ['301', '302', '303', '307', '308']
const LOCATIONS = ['/', '/token', 'http://127.0.0.1:1/', 'https://oauth2.googleapis.com/token']
const HEADERS = [
  ['Content-Length', '0', '2', '5', '-1', '1e3', '99999999999999999999', '2, 2', 'x', ''],
  ['Transfer-Encoding', 'chunked', 'chunked', 'gzip, chunked', 'identity', 'chunked, chunked', 'x', ''],
  ['Location', ...LOCATIONS, 'http://[', ''],
  ['Trailer', 'X-Sum', 'Content-Length', '\x01', ''],
  [
    'Connection',
    'close',
    'keep-alive',
    'Upgrade',
    'X-Own, close',
    'Content-Length',
    'Host',
    'Transfer-Encoding',
    '__proto__',
    '',
  ],
  ['Upgrade', 'websocket', 'h2c', 'TLS/1.0', ''],
  ['Expect', '100-continue', 'tea', ''],
  ['Keep-Alive', 'timeout=0', 'max=x'],
  ['TE', 'trailers', 'gzip'],
  ['Date', 'yesterday', ''],
  ['Set-Cookie', 'a=1', '\xff', ''],
  ['Host', 'odd', 'odd:80', 'good', '[', '\xff', ''],
  ['Authorization', 'Bearer a.b.c', 'Bearer', 'Basic x', '\xff'],
  ['X_Forwarded_For', '1.2.3.4'],
  ['X-Own', 'x', 'x'.repeat(20_000), 'a\x00b', 'a\x0bb', '\x7f', ' ', 'a\r\n b'],
  ['__proto__', 'x'],
  ['constructor', 'x'],
  ['Bad Name', 'x'],
  ['', 'x'],
] as const
const BODIES = [
  '',
  'ok',
  'okokok',
  '2\r\nok\r\n0\r\n\r\n',
  '2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
  '0\r\nX\x01: \r\n\r\n',
  'zz\r\n',
  'ffffffffffffffffff\r\n',
  '2\r\nok',
]

/** The bytes of an odd request for a host, or of an odd answer. */
export function createOddities(random: () => number, host: string, targets: readonly string[] = TARGETS) {
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const headers = () =>
    Array.from({ length: Math.floor(random() * 6) }, () => {
      const [name, ...values] = one(HEADERS)
      return `${name}: ${one(values)}\r\n`
    }).join('')
  const spoilt = (bytes: string) => {
    const chance = random()
    const at = Math.floor(random() * bytes.length)
    if (chance < 0.1) return bytes.slice(0, at)
    if (chance < 0.2) return `${bytes.slice(0, at)}${String.fromCharCode(random() * 256)}${bytes.slice(at + 1)}`
    return bytes
  }
  return {
    request: () =>
      spoilt(`${one(METHODS)} ${one(targets)} ${one(VERSIONS)}\r\nHost: ${host}\r\n${headers()}\r\n${one(BODIES)}`),
    /** One in four is a sound redirect, which chance alone seldom makes. */
    answer: () =>
      random() < 0.25
        ? `HTTP/1.1 ${one(REDIRECTS)} Go\r\nLocation: ${one(LOCATIONS)}\r\nContent-Length: 0\r\n\r\n`
        : spoilt(`${one(VERSIONS)} ${one(STATUSES)} ${one(REASONS)}\r\n${headers()}\r\n${one(BODIES)}`),
  }
}
