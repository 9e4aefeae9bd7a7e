/** docs/gate.md, "Audiences" */

import test from 'ava'
import { acceptsAudience } from '../../src/gate/audience.ts'

const RUN = 'https://ledger-abc123-uc.a.run.app'
const FUNCTION = 'https://europe-west1-acme-dev.cloudfunctions.net/ledger'
const CUSTOM = 'http://ledger:8080'
const GCLOUD = '32555940559.apps.googleusercontent.com'

test('which audiences a service takes', (t) => {
  const rows: [aud: unknown, accepted: boolean][] = [
    [RUN, true],
    [`${RUN}/`, true],
    [`${RUN}/tasks/handle?x=1`, true],
    ['https://LEDGER-abc123-uc.a.run.app', true],
    ['https://tag---ledger-abc123-uc.a.run.app', false],
    ['http://ledger-abc123-uc.a.run.app', false],
    [`${RUN}:8443`, false],
    [`${RUN}:443`, true],
    [`${RUN}.evil.example`, false],
    [` ${RUN}`, false],
    [`${RUN} `, false],
    [`${RUN}/a b`, false],
    [`${RUN}\n`, false],
    ['https:\\\\ledger-abc123-uc.a.run.app', false],
    ['https://ledger-abc123-uc.a.run.app\\x', false],
    ['https:ledger-abc123-uc.a.run.app', false],
    ['https://ann@ledger-abc123-uc.a.run.app', false],
    ['https://evil.example\\@ledger-abc123-uc.a.run.app', false],
    ['https://ledger-abc123-uc.a.run。app', false],
    ['https://ｌedger-abc123-uc.a.run.app', false],
    ['https://led%67er-abc123-uc.a.run.app', false],
    ['https://led\tger-abc123-uc.a.run.app', false],
    ['https://evil.example/?https://ledger-abc123-uc.a.run.app', false],
    [FUNCTION, true],
    [`${FUNCTION}/`, false],
    [`${FUNCTION}/sub`, false],
    ['https://europe-west1-acme-dev.cloudfunctions.net', false],
    [CUSTOM, true],
    [`${CUSTOM}/`, false],
    ['HTTP://ledger:8080', false],
    [GCLOUD, true],
    ['764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com', true],
    ['123-own.apps.googleusercontent.com', false],
    [[RUN], false],
    [undefined, false],
    ['', false],
  ]
  for (const [aud, accepted] of rows) t.is(acceptsAudience(aud, [RUN, FUNCTION, CUSTOM], true), accepted, String(aud))
  t.true(acceptsAudience(RUN, [`${RUN}/`], false))
  t.false(acceptsAudience(GCLOUD, [RUN], false))
  t.false(acceptsAudience(RUN, [RUN.replace('https:', 'http:')], false), 'http is another audience')
})
