import { FLAVOR, V1 } from '../../http-client.ts'
import { HTML, type Row, type Rule } from '../rule.ts'

const PATHS = ['/computeMetadata', V1, `${V1}/instance`, `${V1}/instance/service-accounts`]

export const rule: Rule = {
  title: 'a directory without its slash is a 301 to the same Host, port and query with it',
  source: 'docs/wire.md, "Directories"',
  check: (server) =>
    server.expectAll(
      PATHS.flatMap((path) =>
        ['', '?recursive=true&alt=json'].flatMap((query) =>
          [server.host, 'metadata.google.internal', '169.254.169.254:8080'].map((Host): Row => {
            const location = `http://${Host}${path}/${query}`
            const expected = { status: 301, type: HTML, body: `${path}/\n`, headers: { location } }
            return [path + query, expected, { headers: { ...FLAVOR, Host } }]
          }),
        ),
      ),
    ),
}
