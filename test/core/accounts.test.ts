import test from 'ava'
import { isEmail } from '../../src/core/accounts.ts'

const EMAILS = [
  'orders@acme-dev.iam.gserviceaccount.com',
  '123-compute@developer.gserviceaccount.com',
  'svc@project.example.com.iam.gserviceaccount.com',
  "ann.o'brien+test@example.co.uk",
  'ann@localhost',
]
for (const email of EMAILS) test(`${email} is an email`, (t) => t.true(isEmail(email)))

const OTHERS = [
  '',
  'ann',
  '@acme.com',
  'ann@',
  'ann@b@c',
  'ann @acme.com',
  'ann@acme.com,bob@acme.com',
  'ann@acme.com;bob@acme.com',
  'ann@acme.com=user:bob@acme.com',
  '"ann@acme.com"',
  "'ann@acme.com'",
  "'ann@acme.com",
  "ann@acme.com'",
  '<ann@acme.com>',
  'Ann <ann@acme.com>',
  'serviceAccount:ann@acme.com',
  'projects/-/serviceAccounts/ann@acme.com',
  'ann@acme.com\n',
]
for (const text of OTHERS) test(`${JSON.stringify(text)} is not an email`, (t) => t.false(isEmail(text)))
