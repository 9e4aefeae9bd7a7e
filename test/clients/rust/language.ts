import { join } from 'node:path'
import { build, type Language } from '../language.ts'
import type { Client } from '../probe.ts'

const command = (name: string) => [join(import.meta.dirname, 'target', 'debug', 'clients'), name]
const withoutVariables = 'asks metadata.google.internal by name'
const clients: readonly Client[] = [
  {
    name: 'google-cloud-auth',
    command: command('google-cloud-auth'),
    steps: ['accessToken', 'scopes', 'idToken', 'bareIdToken', 'refused'],
  },
  { name: 'gcp_auth', command: command('gcp_auth'), steps: ['project', 'accessToken'], withoutVariables },
  { name: 'yup-oauth2', command: command('yup-oauth2'), steps: ['detection', 'scopes'], withoutVariables },
]

export const rust: Language = {
  name: 'Rust',
  needs: ['cargo', 'cc'],
  async prepare(isNewest) {
    if (isNewest) await build('rust', {}, 'cargo', 'update')
    await build('rust', {}, 'cargo', 'build', '--quiet', ...(isNewest ? [] : ['--locked']))
  },
  clients,
}
