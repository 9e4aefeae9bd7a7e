import type { IncomingMessage } from 'node:http'
import test from 'ava'
import { hostOf, pathOf, shownPath, takeOrigin } from '../../src/gate/exchange.ts'

const asked = (url: string, host = 'ledger') => ({ url, headers: { host } }) as IncomingMessage

test('a path is shown without its query, to 200 characters', (t) => {
  t.is(pathOf(asked('/a?secret#b')), '/a')
  t.is(pathOf(asked('/a#secret')), '/a')
  const path = `/${'a'.repeat(199)}`
  t.is(shownPath(asked(path)), path)
  t.is(shownPath(asked(`${path}b`)), path)
})

test('a host is shown by its name, to 255 characters', (t) => {
  t.is(hostOf(asked('/', 'Ledger.:8080')), 'ledger')
  const host = 'a'.repeat(255)
  t.is(hostOf(asked('/', host)), host)
  t.is(hostOf(asked('/', `${host}b`)), host)
  t.is(hostOf({ headers: {} } as IncomingMessage), '')
})

test('a URL in the request line is split, and a path is left as it is', (t) => {
  const rows: [url: string, host: string, path: string][] = [
    ['/a', 'other', '/a'],
    ['http://ledger:8080/a?b', 'ledger:8080', '/a?b'],
    ['HTTPS://ledger', 'ledger', '/'],
    ['http://ann:canary@ledger?b', 'ledger', '/?b'],
    ['http:///a', '', '/a'],
    ['/http://ledger', 'other', '/http://ledger'],
  ]
  for (const [url, host, path] of rows) {
    const req = asked(url, 'other')
    takeOrigin(req)
    t.deepEqual([req.headers.host, req.url], [host, path], url)
  }
})
