/** The servers of ours that the rules are run against. */

import type { StartOptions } from '../../src/index.ts'

export type Kind = 'Cloud Run' | 'a VM' | 'a server without an account'

export const KINDS: Readonly<Record<Kind, StartOptions>> = {
  'Cloud Run': {},
  'a VM': { platform: 'gce' },
  'a server without an account': {
    identities: [{ serviceAccount: 'orders@acme-dev.iam.gserviceaccount.com', callers: ['10.99.0.0/16'] }],
  },
}
