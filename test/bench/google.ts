/** The fake Google for a section, and the variables with which a server mints from it. */

import { join } from 'node:path'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'

export interface WithGoogle {
  google: FakeGoogle
  /** For the server: the way to the fake one, and a service account's key. */
  env: NodeJS.ProcessEnv
}

export async function withGoogle<T>(
  directory: string,
  work: (parts: WithGoogle) => Promise<T>,
  options: { now?: () => number } = {},
): Promise<T> {
  const google = await startFakeGoogle({ ...options, dir: join(directory, `google-${crypto.randomUUID()}`) })
  try {
    const key = await google.serviceAccountKey('orders@acme-dev.iam.gserviceaccount.com')
    return await work({ google, env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: google.write('key.json', key) } })
  } finally {
    await google.close()
  }
}
