import { join } from 'node:path'
import type { Language } from '../language.ts'

const command = (name: string) => [process.execPath, join(import.meta.dirname, 'probe.mjs'), name]
const env = { PATH: process.env.PATH ?? '' }

export const curl: Language = {
  name: 'curl',
  needs: ['curl'],
  prepare: async () => {},
  clients: [
    {
      name: 'curl with GCE_METADATA_HOST',
      command: command('curl'),
      env,
      steps: ['project', 'account', 'accessToken', 'scopes', 'idToken', 'bareIdToken', 'universe', 'refused'],
    },
  ],
}

export const gcloud: Language = {
  name: 'gcloud',
  needs: ['gcloud'],
  prepare: async () => {},
  clients: [
    {
      name: 'gcloud auth, gcloud config',
      command: command('gcloud'),
      env,
      cutsAudience: true,
      refusal: /HTTP Error 400/,
      steps: ['project', 'account', 'accessToken', 'idToken', 'bareIdToken', 'refused'],
    },
  ],
}
