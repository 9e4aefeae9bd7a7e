/** The pages of Cloud Run's front end. They do not say why; only the log does (docs/gate.md, "Pages"). */

import { escapeHtml } from '../http/wire.ts'

export interface Page {
  status: number
  /** Alternating names and values. */
  head: readonly string[]
  body: string
}

const RETRY = '<p>Please try again in 30 seconds.'

/** `path` without its query. 401 and 403 are captured answers, the others inferred (docs/gate.md, "Pages"). */
const PAGES: Record<number, { title: string; heading: string; sentence: (path: string) => string }> = {
  401: {
    title: 'Unauthorized',
    heading: 'Unauthorized',
    sentence: (path) => `Your client does not have permission to the requested URL <code>${path}</code>.`,
  },
  403: {
    title: 'Forbidden',
    heading: 'Forbidden',
    sentence: (path) => `Your client does not have permission to get URL <code>${path}</code> from this server.`,
  },
  404: {
    title: 'Page not found',
    heading: 'Page not found',
    sentence: () => 'The requested URL was not found on this server.',
  },
  405: {
    title: 'Method Not Allowed',
    heading: 'Method Not Allowed',
    sentence: (path) => `The request method is inappropriate for the URL <code>${path}</code>.`,
  },
  502: {
    title: 'Server Error',
    heading: 'Server Error',
    sentence: () => `The server encountered a temporary error and could not complete your request.${RETRY}`,
  },
  503: {
    title: 'Server Error',
    heading: 'Server Error',
    sentence: () => `The service you requested is not available yet.${RETRY}`,
  },
}

/** The page for a status; a status without one gets that of 503. */
export function pageFor(status: number, path: string): Page {
  const shown = PAGES[status] ? status : 503
  const { title, heading, sentence } = PAGES[shown] as (typeof PAGES)[number]
  const body = `<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>${shown} ${title}</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: ${heading}</h1>
<h2>${sentence(escapeHtml(path))}</h2>
<h2></h2>
</body></html>
`
  return {
    status: shown,
    head: [
      ...(shown === 401 ? ['WWW-Authenticate', CHALLENGE] : []),
      'Content-Type',
      'text/html; charset=UTF-8',
      'Content-Length',
      String(Buffer.byteLength(body)),
    ],
    body,
  }
}

/** With a space between its two parameters, as Cloud Run sends it (docs/gate.md, "Pages"). */
const CHALLENGE = 'Bearer error="invalid_token" error_description="The access token could not be verified"'
