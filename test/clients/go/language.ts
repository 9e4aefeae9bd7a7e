import { join } from 'node:path'
import { build, type Language } from '../language.ts'
import type { Step } from '../probe.ts'

const PROBE = join(import.meta.dirname, '.cache', 'probe')
const client = (name: string, steps: readonly Step[], platform?: string) => ({
  name,
  command: [PROBE, name],
  steps,
  ...(platform === undefined ? {} : { platform }),
})

export const go: Language = {
  name: 'Go',
  needs: ['go'],
  async prepare(isNewest) {
    if (isNewest) {
      await build('go', {}, 'go', 'get', '-u', '.')
      await build('go', {}, 'go', 'mod', 'tidy')
    }
    await build('go', {}, 'go', 'build', '-p', '1', '-o', PROBE, '.')
  },
  clients: [
    client('cloud.google.com/go/compute/metadata', [
      ...(['detection', 'project', 'account', 'accessToken', 'scopes', 'idToken', 'bareIdToken', 'universe'] as const),
      ...(['subscribed', 'refused'] as const),
    ]),
    client('cloud.google.com/go/auth', [
      ...(['detection', 'project', 'accessToken', 'scopes', 'idToken', 'bareIdToken', 'universe'] as const),
      ...(['verified', 'refused'] as const),
    ]),
    client('google.golang.org/api', ['idToken', 'bareIdToken', 'verified', 'refused']),
    client('golang.org/x/oauth2', ['project', 'accessToken', 'scopes', 'universe']),
    client('go.opentelemetry.io/contrib/detectors/gcp', ['detection', 'project'], 'gcp_compute_engine'),
  ],
}
