/** A reader of server-sent events, as a test wants it. */

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'

export interface Message {
  event: string
  id: string
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is what the test looks at
  data: any
}

export interface EventSource {
  status: number
  response: IncomingMessage
  /** All that came so far, comments too. */
  text: () => string
  /** The next message that nobody took yet. */
  next(): Promise<Message>
  close(): void
}

export async function openEvents(url: string, path = '/_sidemint/events', headers = {}): Promise<EventSource> {
  const asked = request(`${url}${path}`, { agent: false, headers })
  asked.on('error', () => {})
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  let taken = 0
  response.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  response.on('error', () => {})
  const messages = () => [...text.matchAll(/event: (.*)\nid: (.*)\ndata: (.*)\n\n/g)]
  return {
    status: response.statusCode ?? 0,
    response,
    text: () => text,
    async next() {
      while (messages().length <= taken) await once(response, 'data')
      const [, event = '', id = '', data = ''] = messages()[taken++] ?? []
      return { event, id, data: JSON.parse(data) }
    },
    close: () => asked.destroy(),
  }
}
