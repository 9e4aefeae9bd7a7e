import { join } from 'node:path'
import { build, type Language } from '../language.ts'
import type { Client, Step } from '../probe.ts'

const PROBE = join(import.meta.dirname, 'probe.py')
const LIBRARY: readonly Step[] = [
  'detection',
  'project',
  'account',
  'accessToken',
  'scopes',
  'idToken',
  'bareIdToken',
  'verified',
  'refused',
]
/** Each list of requirements has an environment of its own. */
const python = (list: string) => join(import.meta.dirname, `.venv-${list}`, 'bin', 'python')
const newest = (name: string) => [python('newest'), '-B', PROBE, name]

/** Without pip in the environment, and with nothing compiled: both take longer than the probes. */
async function install(list: string, requirements: readonly string[]): Promise<void> {
  await build('python', {}, 'python3', '-m', 'venv', '--without-pip', `.venv-${list}`)
  const pip = ['-m', 'pip', '--python', python(list), '--disable-pip-version-check', '--quiet', 'install']
  await build('python', {}, 'python3', ...pip, '--no-compile', ...requirements)
}

const openai: Client = {
  name: 'openai, gcp_id_token_provider',
  command: newest('openai'),
  steps: ['idToken', 'bareIdToken', 'refused'],
  refusal: /HTTP 400/,
  withoutVariables: 'asks metadata.google.internal by name',
}

export const pythonClients: Language = {
  name: 'Python',
  needs: ['python3'],
  async prepare(isNewest) {
    const names = ['google-auth', 'requests', 'google-cloud-storage', 'google-cloud-logging', 'openai']
    await install('newest', isNewest ? ['--upgrade', ...names] : ['-r', 'newest.txt'])
    await install('2.23', ['-r', '2.23.txt'])
  },
  clients: [
    { name: 'google-auth', command: newest('google-auth'), steps: [...LIBRARY, 'universe'] },
    { name: 'google-auth 2.23', command: [python('2.23'), '-B', PROBE, 'google-auth'], steps: LIBRARY },
    {
      name: 'google-cloud-storage, Client',
      command: newest('google-cloud-storage'),
      steps: ['project', 'account', 'accessToken', 'universe'],
    },
    {
      name: 'google-cloud-logging, detect_resource',
      command: newest('google-cloud-logging'),
      steps: ['detection', 'project'],
      platform: 'gce_instance',
      withoutVariables: 'asks metadata.google.internal by name',
    },
    openai,
  ],
}
