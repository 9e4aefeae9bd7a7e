/** docs/wire.md, "Docker's names" */

import test from 'ava'
import { readName } from '../../src/identity/compose-names.ts'

// Answers of Docker's DNS to PTR queries, as a container of this engine got them.
for (const [what, name, ownName, expected] of [
  [
    'a service',
    'acme-orders-1.acme_default',
    'acme-sidemint-1.acme_default',
    { container: 'acme-orders-1', service: 'orders' },
  ],
  [
    'a replica',
    'acme-orders-12.acme_default',
    'acme-sidemint-1.acme_default',
    { container: 'acme-orders-12', service: 'orders' },
  ],
  [
    'a one-off container of compose run',
    'acme-orders-run-775ed80adb77.acme_default',
    'acme-sidemint-1.acme_default',
    { container: 'acme-orders-run-775ed80adb77', service: 'orders' },
  ],
  [
    'project and service with dashes',
    'my-demo-my-orders-1.my-demo_a',
    'my-demo-me-1.my-demo_a',
    { container: 'my-demo-my-orders-1', service: 'my-orders' },
  ],
  [
    'a project that is the beginning of another word of the service',
    'my-orders-1.my_a',
    'my-sidemint-1.my_a',
    { container: 'my-orders-1', service: 'orders' },
  ],
  [
    'a project of one word whose sidemint has two',
    'my-orders-1.my_default',
    'my-side-mint-1.my_default',
    { container: 'my-orders-1', service: 'orders' },
  ],
  [
    'our own',
    'acme-sidemint-1.acme_default',
    'acme-sidemint-1.acme_default',
    { container: 'acme-sidemint-1', service: 'sidemint' },
  ],
  ['one in no network of ours', 'acme-orders-1.b', 'acme-sidemint-1.a', { container: 'acme-orders-1.b' }],
  ['a container name with dots', 'x.y.z.acme_default', 'acme-sidemint-1.acme_default', { container: 'x.y.z' }],
  [
    'a network name with dots',
    'acme-orders-1.shared.net',
    'acme-sidemint-1.shared.net',
    { container: 'acme-orders-1', service: 'orders' },
  ],
  ['a service of another project', 'other-orders-1.shared', 'acme-sidemint-1.shared', { container: 'other-orders-1' }],
  [
    'a project whose name begins as ours does',
    'acme2-orders-1.shared',
    'acme-sidemint-1.shared',
    { container: 'acme2-orders-1' },
  ],
  ['a name while ours is not known', 'acme-orders-1.acme_default', undefined, { container: 'acme-orders-1' }],
  ['a name without a network while ours is not known', 'orders', undefined, { container: 'orders' }],
  ['a name that begins with a dot', '.orders', undefined, { container: '.orders' }],
] as const) {
  test(`a reverse name is read: ${what}`, (t) => {
    t.deepEqual(readName(name, ownName === undefined ? [] : [ownName]), expected)
  })
}

test('in a network that projects share, our name in our own network tells the project', (t) => {
  const ownNames = ['my-demo-me-1.shared', 'my-demo-me-1.my-demo_default']
  t.deepEqual(readName('my-demo-orders-1.shared', ownNames), { container: 'my-demo-orders-1', service: 'orders' })
  t.deepEqual(readName('my-orders-1.shared', ownNames), { container: 'my-orders-1' })
})
