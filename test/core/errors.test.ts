import test from 'ava'
import {
  asFailure,
  CATALOGUE,
  type Code,
  errorBody,
  failure,
  readErrorBody,
  SidemintError,
  withFix,
} from '../../src/core/errors.ts'

const codes = Object.keys(CATALOGUE) as Code[]

/** A failure of any code, with the same text for each of its values. */
function filled(code: Code, value: string): SidemintError {
  const { what, fix } = CATALOGUE[code]
  const names = [...`${what} ${fix}`.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, value])
  return failure(code, Object.fromEntries(names))
}

const VALUES: [name: string, value: string][] = [
  ['plain', 'https://a.example'],
  ['long', 'x'.repeat(8_192)],
  ['markup', '<script>alert("&\')</script>'],
  ['control characters', 'a\r\n\0\x1b[31m\u2028\x7f\\"'],
  ['not ASCII', 'bücher 🙂 \ud800'],
  ['a placeholder', '{audience} $& $1'],
]
for (const [name, value] of VALUES) {
  test(`with a value that is ${name}, the body of every code is one line of ASCII within 1,000 bytes`, (t) => {
    for (const code of codes) {
      const error = filled(code, value)
      const body = errorBody(error)
      t.regex(body, /^[ -~]+$/, code)
      t.true(Buffer.byteLength(body) <= 1_000, `${code}: ${body.length}`)
      t.false(/[<>&]/.test(body), `${code}: its Content-Type is text/html`)
      const parsed = JSON.parse(body)
      t.deepEqual(Object.keys(parsed), ['error', 'error_description'], code)
      t.is(parsed.error, code)
      t.true(parsed.error_description.includes('. Fix: '), code)
      const whole = `${error.message}. Fix: ${error.fix}`
      if (whole.length < 300) t.is(parsed.error_description, whole, `${code}: nothing is lost that fits`)
    }
  })
}

test('a body is read as it was written, also where its message quotes a failure with a fix of its own', (t) => {
  const inner = withFix({ message: 'the policy /p.json is broken', fix: 'write it anew' })
  const error = failure('UPSTREAM_REFUSED', { host: 'iam', status: '403', reason: inner })
  t.deepEqual(readErrorBody(errorBody(error)), { code: error.code, message: error.message, fix: error.fix })
  for (const other of ['', 'no JSON', '1', 'null', '{"error":"a"}', '{"error":"A","error_description":"no fix"}'])
    t.is(readErrorBody(other), undefined, other)
})

test('every code is upper snake case, says what failed and what to do, in sentences that join', (t) => {
  for (const code of codes) {
    t.regex(code, /^[A-Z]+(_[A-Z]+)*$/)
    const { what, fix, status } = CATALOGUE[code]
    t.false(/\.$/.test(what) || /\.$/.test(fix), code)
    t.true(fix.length > 0, code)
    t.true([400, 401, 403, 404, 405, 408, 502, 503].includes(status), `${code}: no code is a 500`)
  }
})

test('a failure keeps its code, status and cause, and 503 alone passes by itself', (t) => {
  const cause = new Error('below')
  const error = failure('PORT_TAKEN', { setting: '--port', address: '127.0.0.1:80' }, { cause })
  t.like(error, {
    code: 'PORT_TAKEN',
    status: 400,
    transient: false,
    message: '127.0.0.1:80 is in use by another process',
  })
  t.is(error.cause, cause)
  t.true(failure('PORT_TAKEN', { setting: '--port', address: 'x' }, { status: 503 }).transient)
})

test('anything else that is thrown becomes INTERNAL, a passing fault', (t) => {
  for (const thrown of [new TypeError('a bug'), 'text', undefined, null, { code: 'X' }]) {
    t.like(asFailure(thrown), { code: 'INTERNAL', status: 503, transient: true })
  }
  const own = failure('INJECTED', { left: '1' })
  t.is(asFailure(own), own)
  t.true(asFailure(own) instanceof SidemintError)
})
