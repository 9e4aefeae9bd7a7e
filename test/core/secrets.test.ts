import test from 'ava'
import { shownAudience, withoutSecrets } from '../../src/core/secrets.ts'

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhIn0.c2lnbmF0dXJl'

const AUDIENCES: [asked: string, shown: string][] = [
  ['https://ledger-abc.a.run.app', 'https://ledger-abc.a.run.app'],
  ['https://ledger.example/a@b', 'https://ledger.example/a@b'],
  ['32555940559.apps.googleusercontent.com', '32555940559.apps.googleusercontent.com'],
  ['//iam.googleapis.com/projects/1/locations/global', '//iam.googleapis.com/projects/1/locations/global'],
  ['what?', 'what?'],
  [JWT, '***'],
  [`Bearer ${JWT}`, 'Bearer ***'],
  ['eyJhbGciOiJSUzI1NiJ9', '***'],
  ['ya29.a0AfH6SMBx', '***'],
  ['https://ann:secret@ledger/x', 'https://***@ledger/x'],
  ['https://ann:se@cret@ledger', 'https://***@ledger'],
  ['https://ledger/x?key=secret', 'https://ledger/x?***'],
  ['https://ledger/x?', 'https://ledger/x?'],
  ['https://ledger#secret', 'https://ledger#***'],
]
for (const [asked, shown] of AUDIENCES) test(`${asked} is shown as ${shown}`, (t) => t.is(shownAudience(asked), shown))

test('a text may hold several secrets, and stays as it is without one', (t) => {
  t.is(withoutSecrets(`a ${JWT} b 1//0gHd6 c http://u:p@h d`), 'a *** b *** c http://***@h d')
  t.is(withoutSecrets('as ann@acme.com for https://a.example/?x'), 'as ann@acme.com for https://a.example/?x')
})
