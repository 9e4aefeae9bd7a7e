/** docs/gate.md, "Pages" */

import test from 'ava'
import { pageFor } from '../../src/gate/pages.ts'

test('each status has its page, and one without a page of its own is 503', (t) => {
  const temporary = 'The server encountered a temporary error and could not complete your request.'
  const retry = '<p>Please try again in 30 seconds.'
  const unavailable = `The service you requested is not available yet.${retry}`
  const rows: [status: number, shown: number, title: string, heading: string, sentence: string][] = [
    [
      401,
      401,
      'Unauthorized',
      'Unauthorized',
      'Your client does not have permission to the requested URL <code>/&lt;a&gt;</code>.',
    ],
    [
      403,
      403,
      'Forbidden',
      'Forbidden',
      'Your client does not have permission to get URL <code>/&lt;a&gt;</code> from this server.',
    ],
    [404, 404, 'Page not found', 'Page not found', 'The requested URL was not found on this server.'],
    [
      405,
      405,
      'Method Not Allowed',
      'Method Not Allowed',
      'The request method is inappropriate for the URL <code>/&lt;a&gt;</code>.',
    ],
    [502, 502, 'Server Error', 'Server Error', `${temporary}${retry}`],
    [503, 503, 'Server Error', 'Server Error', unavailable],
    [500, 503, 'Server Error', 'Server Error', unavailable],
  ]
  for (const [status, shown, title, heading, sentence] of rows) {
    const page = pageFor(status, '/<a>')
    t.is(page.status, shown)
    t.true(page.body.includes(`<title>${shown} ${title}</title>`), title)
    t.true(page.body.includes(`<h1>Error: ${heading}</h1>\n<h2>${sentence}</h2>\n`), page.body)
    const challenge = page.head.slice(0, -4)
    t.is(challenge[0], status === 401 ? 'WWW-Authenticate' : undefined)
    t.deepEqual(page.head.slice(-4), [
      'Content-Type',
      'text/html; charset=UTF-8',
      'Content-Length',
      String(Buffer.byteLength(page.body)),
    ])
  }
})
