import { join } from 'node:path'
import { build, type Language } from '../language.ts'
import { pathOf } from '../probe.ts'

/** Debian's package: it is as old as its release, so there is nothing to pin. */
export const ruby: Language = {
  name: 'Ruby',
  needs: ['ruby'],
  prepare: () => build('ruby', {}, 'ruby', '-rgoogleauth', '-e', ''),
  clients: [
    {
      name: "googleauth, Debian's",
      command: [pathOf('ruby'), join(import.meta.dirname, 'probe.rb')],
      steps: ['detection', 'accessToken', 'idToken', 'bareIdToken', 'verified', 'refused'],
      refusal: /Unexpected error code 400/,
      withoutVariables: 'knows 169.254.169.254 only; from 1.8 it knows GCE_METADATA_HOST, beside K_SERVICE',
    },
  ],
}
