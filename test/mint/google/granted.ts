/** The fake Google that most tests of minting ask: this process trusts it, and Ann may mint as orders. */

import { type FakeGoogle, startFakeGoogle } from '../../google/start.ts'
import { ANN, CREATOR, ORDERS } from './rows.ts'

export async function startGranted(options: Parameters<typeof startFakeGoogle>[0] = {}): Promise<FakeGoogle> {
  const google = await startFakeGoogle(options)
  google.trust()
  google.grant(ANN, CREATOR, ORDERS)
  return google
}
