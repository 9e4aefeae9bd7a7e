/** What is shown stands in the address, so that it can be sent to somebody: `#hops?refused=1`, `#map`, `#hop-3f2a91bc`. */

import type { Filter } from './entries.ts'

export const VIEWS = ['hops', 'map', 'setup'] as const

export interface Place {
  view: (typeof VIEWS)[number]
  /** The address of the row that is open; empty for none. */
  row: string
  filter: Filter
}

export function readPlace(hash: string): Place {
  const [name = '', query = ''] = hash.replace(/^#/, '').split('?')
  const asked = new URLSearchParams(query)
  const filter = {
    service: asked.get('service') ?? '',
    account: asked.get('account') ?? '',
    refused: asked.get('refused') === '1',
  }
  const isRow = /^(hop|asked)-[0-9a-f]{8}$/.test(name)
  return { view: VIEWS.find((view) => view === name) ?? 'hops', row: isRow ? name : '', filter }
}

export function hashOf({ view, row, filter }: Place): string {
  const query = new URLSearchParams()
  if (filter.service !== '') query.set('service', filter.service)
  if (filter.account !== '') query.set('account', filter.account)
  if (filter.refused) query.set('refused', '1')
  const text = query.toString()
  return `#${row === '' ? view : row}${text === '' ? '' : `?${text}`}`
}
