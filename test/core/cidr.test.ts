import test from 'ava'
import { createRange, isCidr } from '../../src/core/cidr.ts'

for (const text of ['10.0.0.7', '10.0.0.0/8', '0.0.0.0/0', '::1', 'fd00::/8', '::/128']) {
  test(`${text} is an address or a range`, (t) => t.true(isCidr(text)))
}

for (const text of ['', 'orders', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/9', '10.0.0', 'fd00::/129', '10.0.0.0/x']) {
  test(`${JSON.stringify(text)} is neither an address nor a range`, (t) => t.false(isCidr(text)))
}

test('a range holds what is in one of its parts, of either family, and an address only itself', (t) => {
  const isInRange = createRange(['10.0.0.0/8', '192.168.0.7', 'fd00::/8'])
  t.true(['10.255.0.1', '192.168.0.7', 'fd00::7'].every(isInRange))
  t.false(['11.0.0.1', '192.168.0.8', 'fe80::1', 'orders'].some(isInRange))
})

test('a range of nothing holds nothing', (t) => {
  t.false(createRange([])('10.0.0.1'))
})
