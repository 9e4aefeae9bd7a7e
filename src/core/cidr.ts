/** Addresses and ranges of them, in CIDR notation. */

import { BlockList, isIP, isIPv4 } from 'node:net'

/** Whether an address lies in one of the ranges; a bare address is a range of one. Each must be one by `isCidr`. */
export function createRange(cidrs: readonly string[]): (address: string) => boolean {
  const ranges = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/')
    const family = isIPv4(network) ? 'ipv4' : 'ipv6'
    ranges.addSubnet(network, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family)
  }
  return (address) => isIP(address) !== 0 && ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** Whether a text is an address or a range of them. */
export function isCidr(text: string): boolean {
  const [network = '', bits, ...more] = text.split('/')
  const most = isIPv4(network) ? 32 : 128
  return (
    isIP(network) !== 0 && more.length === 0 && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= most))
  )
}
