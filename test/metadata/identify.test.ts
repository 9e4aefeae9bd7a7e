import type { Socket } from 'node:net'
import test from 'ava'
import { Target } from '../../src/http/target.ts'
import type { Callers } from '../../src/identity/callers.ts'
import type { Identities } from '../../src/identity/identities.ts'
import type { Identity } from '../../src/identity/identity.ts'
import { createIdentify, type Places } from '../../src/metadata/identify.ts'

const identityOf = (email: string): Identity => ({
  email,
  principal: email,
  accounts: [email],
  tokens: {} as Identity['tokens'],
  callers: [],
  hosts: [],
  isDefault: false,
})
const ORDERS = identityOf('orders')
const REST = identityOf('rest')
const byPort = new Map([[16926, ORDERS]])

/** Whom a request is answered as that came by that port; undefined: its client has gone. */
function asked(port: number | undefined, places: Places) {
  const identities = { find: ({ listener }: { listener?: Identity }) => listener ?? REST, needNames: false }
  const callers = { of: () => ({ address: '172.18.0.9' }) }
  const identify = createIdentify(identities as unknown as Identities, callers as unknown as Callers, places)
  const socket = { localPort: port } as Socket
  return identify({ socket, host: 'metadata', target: new Target('/') })
}

for (const [title, port, own, identity] of [
  ['the port of an identity is of that identity', 16926, 16925, ORDERS],
  ['so it is before the own port is known', 16926, undefined, ORDERS],
  ["the own port is everybody's", 16925, 16925, REST],
  ["until the own port is known any other is everybody's", 16927, undefined, REST],
  ["a port that the settings before gave to an identity is nobody's", 16927, 16925, undefined],
  ['a client that has gone is nobody', undefined, 16925, undefined],
] as const) {
  test(`by which port a request came: ${title}`, async (t) => {
    t.is((await asked(port, { byPort, own })).identity, identity)
  })
}
