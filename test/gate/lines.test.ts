import test from 'ava'
import {
  audienceLine,
  bindingLine,
  hclText,
  listLine,
  memberFor,
  serviceName,
  shellWord,
  yamlText,
} from '../../src/gate/lines.ts'

const MEMBER = 'serviceAccount:a@acme-dev.iam.gserviceaccount.com'

test('the line for production names the service and its place, or placeholders that say what is missing', (t) => {
  const place = { project: 'acme-dev', region: 'europe-west1' }
  t.is(
    bindingLine('ledger', MEMBER, place),
    `gcloud run services add-iam-policy-binding ledger --member=${MEMBER} --role=roles/run.invoker --region=europe-west1 --project=acme-dev`,
  )
  t.is(
    audienceLine('ledger', 'http://ledger:8080', {}),
    'gcloud run services update ledger --add-custom-audiences=http://ledger:8080 --region=REGION --project=PROJECT',
  )
  t.regex(bindingLine('ledger.internal', MEMBER, place), /binding SERVICE --member=.* # ledger\.internal$/)
  t.regex(bindingLine('a\nb', MEMBER, place), /binding SERVICE --member=.* # a\\u000ab$/)
  t.regex(bindingLine('', MEMBER, place), /binding SERVICE --member=.* # the only gate$/)
})

test('a host is the name of a service where Cloud Run takes it as one', (t) => {
  for (const name of ['a', 'ledger', 'ledger-2', `a${'b'.repeat(48)}`]) t.is(serviceName(name), name)
  for (const host of ['', '2', 'Ledger', 'ledger-', 'a.b', `a${'b'.repeat(49)}`]) t.is(serviceName(host), 'SERVICE')
})

test('a list of the settings file is written with one more entry, which it may have already', (t) => {
  t.is(listLine('invoker', ['user:ann@acme.com'], 'allUsers'), 'invoker: [user:ann@acme.com, allUsers]')
  t.is(listLine('audience', [], 'http://a b'), 'audience: ["http://a b"]')
  t.is(listLine('audience', ['a', 'b'], 'a'), 'audience: ["a", "b"]')
})

test('an account is written as IAM writes it', (t) => {
  t.is(memberFor('a@acme-dev.iam.gserviceaccount.com'), MEMBER)
  t.is(memberFor('ann@acme.com'), 'user:ann@acme.com')
})

test('what a token says is one harmless word of a shell', (t) => {
  t.is(shellWord('--member=user:ann@acme.com'), '--member=user:ann@acme.com')
  t.is(shellWord('$(reboot)'), "'$(reboot)'")
  t.is(shellWord("it's two 'words'"), "'it'\\''s two '\\''words'\\'''")
  t.is(shellWord(''), "''")
  t.is(shellWord('a\nb'), "'a\\u000ab'")
})

test('a text is written so that YAML and Terraform read the same text', (t) => {
  t.is(yamlText('user:ann@acme.com'), 'user:ann@acme.com')
  for (const text of ['null', 'Yes', 'OFF', '12', 'a: b', 'a#', '']) t.is(yamlText(text), JSON.stringify(text))
  t.is(yamlText('a\u2028b'), '"a\\u2028b"')
  t.is(hclText('$' + '{a} %{b} $c "d"'), '"$$' + '{a} %%{b} $c \\"d\\""')
})
