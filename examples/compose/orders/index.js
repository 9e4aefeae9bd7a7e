/** Calls billing with an ID token. The same code runs on Cloud Run. */

import { createServer } from 'node:http'
import { GoogleAuth } from 'google-auth-library'

const { PORT = '8080', BILLING_URL } = process.env

// At start, since Google's library looks for the metadata server once, and "not there" is its answer from then on.
const billing = await new GoogleAuth().getIdTokenClient(BILLING_URL)

createServer(async (_request, response) => {
  try {
    const { data } = await billing.request({ url: BILLING_URL, retry: true })
    answer(response, 200, { billing: data })
  } catch (error) {
    answer(response, 502, { error: error.message, billing: error.response?.data })
  }
}).listen(Number(PORT), '0.0.0.0')

function answer(response, status, data) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(data, null, 2)}\n`)
}

process.on('SIGTERM', () => process.exit())
