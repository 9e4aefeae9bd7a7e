import { join } from 'node:path'
import type { Language } from '../language.ts'
import type { Client, Step } from '../probe.ts'

const command = (name: string) => [process.execPath, join(import.meta.dirname, 'probe.mjs'), name]
const TOKENS: readonly Step[] = ['accessToken', 'scopes', 'idToken', 'bareIdToken', 'universe', 'refused']

const replayed = (name: string, client: Client): Language => ({
  name,
  needs: [],
  prepare: async () => {},
  clients: [client],
})

/** Their requests alone: the languages are not at hand. */
export const replays: readonly Language[] = [
  replayed('PHP', {
    name: 'google/auth',
    command: command('php'),
    steps: ['detection', 'project', 'account', ...TOKENS],
    cutsAudience: true,
    withoutVariables: 'knows 169.254.169.254 only',
  }),
  replayed('.NET', {
    name: 'Google.Apis.Auth and Gax',
    command: command('dotnet'),
    steps: ['detection', 'project', ...TOKENS],
    cutsAudience: true,
  }),
  replayed('C++', {
    name: 'google-cloud-cpp',
    command: command('cpp'),
    steps: ['project', 'account', 'accessToken', 'universe'],
  }),
]
