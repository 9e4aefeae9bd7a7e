import { join } from 'node:path'
import { build, type Language } from '../language.ts'
import type { Client, Step } from '../probe.ts'

const PROBE = join(import.meta.dirname, 'probe.mjs')
const LIBRARY: readonly Step[] = [
  'detection',
  'project',
  'account',
  'accessToken',
  'scopes',
  'idToken',
  'bareIdToken',
  'universe',
  'verified',
  'refused',
]
const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund']
const NEWEST = [
  ...[9, 10, 11].map((major) => `google-auth-library-${major}@npm:google-auth-library@${major}`),
  ...['@opentelemetry/resource-detector-gcp', 'openai', 'firebase-admin'].map((name) => `${name}@latest`),
]
const command = (name: string) => [process.execPath, PROBE, name]

function authLibrary(major: number, more: Partial<Client> = {}): Client {
  const name = `google-auth-library-${major}`
  return {
    name: `google-auth-library ${major}`,
    command: command(name),
    steps: LIBRARY,
    platform: 'COMPUTE_ENGINE',
    cutsAudience: true,
    ...more,
  }
}

export const node: Language = {
  name: 'Node.js',
  needs: ['npm'],
  prepare: (newest) =>
    newest
      ? build('node', {}, 'npm', 'install', '--no-save', ...QUIET, ...NEWEST)
      : build('node', {}, 'npm', 'ci', ...QUIET),
  clients: [
    authLibrary(11),
    authLibrary(10),
    authLibrary(9, { refusal: /status code 400/ }),
    {
      name: 'OpenTelemetry, resource-detector-gcp',
      command: command('@opentelemetry/resource-detector-gcp'),
      steps: ['detection', 'project'],
      platform: 'gcp_compute_engine',
    },
    {
      name: 'openai, gcpIDTokenProvider',
      command: command('openai'),
      steps: ['idToken', 'bareIdToken', 'refused'],
      refusal: /returned 400/,
      withoutVariables: 'asks metadata.google.internal by name',
    },
  ],
  scheduled: [
    {
      name: 'firebase-admin, applicationDefault',
      command: command('firebase-admin'),
      steps: ['accessToken'],
    },
  ],
}
