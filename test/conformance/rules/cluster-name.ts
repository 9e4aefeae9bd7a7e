import { V1 } from '../../http-client.ts'
import { notFound, type Rule } from '../rule.ts'

const KEY = `${V1}/instance/attributes/cluster-name`

export const rule: Rule = {
  title: '`cluster-name` is a 404: Node.js and .NET take it for GKE',
  source: 'docs/wire.md, "The Cloud Run tree"',
  check: (server) => server.expect(KEY, notFound(KEY)),
}
