import test from 'ava'
import { fail, ok } from '../../src/doctor/finding.ts'
import { report } from '../../src/doctor/report.ts'

test('what takes several lines stays in its column, and only the word is painted', (t) => {
  const findings = [ok('port', 'free'), fail('sidemint.yaml', 'a: unknown\nb: unknown', 'correct it')]
  t.is(
    report(findings, { colour: false }),
    [
      'ok    port           free',
      'FAIL  sidemint.yaml  a: unknown',
      '                     b: unknown',
      '                     fix: correct it',
      '',
    ].join('\n'),
  )
  t.true(report(findings, { colour: true }).startsWith('\x1b[32mok  \x1b[0m  port '))
})
