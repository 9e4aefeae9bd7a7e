/** The OpenAPI document is held against the server: each path, each answer and each body that it describes. */

import test from 'ava'
import { OPENAPI } from '../../src/inspector/openapi.ts'
import { compare } from '../inspector/document.ts'
import { FAIL_NEXT_BODIES, ISSUE_BODIES } from './bodies.ts'
import { startControlled } from './server.ts'

const METHODS = ['get', 'post', 'delete'] as const

interface Operation {
  responses: { 200: { content: { 'application/json': { schema: { $ref: string } } } } }
}

const schemaOf = ({ responses }: Operation) =>
  responses[200].content['application/json'].schema.$ref.split('/').at(-1) as keyof typeof OPENAPI.components.schemas

test('what the document says is served is served, and answers as it says', async (t) => {
  const server = await startControlled(t)
  const document = await server.get('openapi.json')
  t.deepEqual(document, JSON.parse(JSON.stringify(OPENAPI)))
  await server.identity('https://a.example')
  await server.identity('https://a.example')
  for (const [path, item] of Object.entries<Record<string, Operation>>(document.paths)) {
    if (path.endsWith('/events')) continue
    for (const [method, operation] of Object.entries(item)) {
      const body = path.endsWith('/issue') ? { audience: 'a' } : method === 'get' ? undefined : {}
      const answer = await server.order(path.replace('/_sidemint/', ''), body, { method: method.toUpperCase() })
      t.is(answer.status, 200, `${method} ${path}`)
      t.is(compare(schemaOf(operation), answer.json()), 'fits', `${method} ${path}`)
    }
  }
})

test('what the document does not say is not served', async (t) => {
  const { order, get } = await startControlled(t)
  const { paths } = await get('openapi.json')
  for (const path of Object.keys(paths)) {
    for (const method of METHODS.filter((method) => paths[path][method] === undefined)) {
      const { status } = await order(path.replace('/_sidemint/', ''), method === 'get' ? undefined : {}, {
        method: method.toUpperCase(),
      })
      t.true(status === 404 || status === 405, `${method} ${path}: ${status}`)
    }
  }
})

test('the server takes the bodies that the document takes, and no others', async (t) => {
  const server = await startControlled(t)
  for (const [path, schema, bodies] of [
    ['control/fail-next', 'FailNext', FAIL_NEXT_BODIES],
    ['control/issue', 'Issue', ISSUE_BODIES],
  ] as const) {
    for (const body of bodies) {
      const { status } = await server.order(path, body)
      t.is(status === 200, compare(schema, body) === 'fits', `${path} ${JSON.stringify(body)}: ${status}`)
    }
  }
})
