import { V1 } from '../../http-client.ts'
import { HTML, NotHere, type Rule } from '../rule.ts'

export const rule: Rule = {
  title: '`guest-attributes` that are off are a 403 in these words',
  source: 'docs/wire.md, "Errors"',
  check: async (server) => {
    const key = `${V1}/instance/guest-attributes/conformance/key`
    const { status } = await server.ask(key)
    if (status === 404) throw new NotHere('its guest attributes are on')
    return server.expect(key, { status: 403, type: HTML, body: 'Guest attributes endpoint access is disabled.' })
  },
}
