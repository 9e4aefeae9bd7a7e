import type { Socket } from 'node:net'
import test from 'ava'
import { callerLabel, createCallers } from '../../src/identity/callers.ts'

const socket = { remoteAddress: '172.18.0.5' } as Socket

test('a caller is called by its address where our own addresses are not to be had', async (t) => {
  const callers = createCallers({
    reverse: async () => ['acme-orders-1.acme_default'],
    ownAddresses: () => {
      throw new Error('uv_interface_addresses returned EMFILE')
    },
  })
  const caller = callers.of(socket)
  await t.notThrowsAsync(async () => caller.naming)
  t.is(callerLabel(caller), '172.18.0.5')
})
