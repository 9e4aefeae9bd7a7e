// Hands what it reads to the lines of the page, and says what they answer. A line is {token} or {url}.
import { createInterface } from 'node:readline'
import { verify } from './verify.js'

const act = async ({ token, url }) => {
  if (url !== undefined) return { status: (await fetch(url)).status }
  return { accepted: await verify(token) }
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await act(JSON.parse(line)).catch((error) => ({ refused: `${error.message} ${error.cause ?? ''}` }))
  console.log(JSON.stringify(said))
}
