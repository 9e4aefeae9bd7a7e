import test from 'ava'
import { parse } from 'yaml'
import { KEY_HOSTS } from '../../src/core/google.ts'
import { run } from './run.ts'

test('env --receiver prints the entries of a receiver as YAML, for both stacks', async (t) => {
  const { code, out, err } = await run(['env', '--format', 'compose', '--receiver'])
  t.is(code, 0, err)
  const [fixed = '', portable = ''] = out.split('\n\n')
  t.deepEqual(parse(fixed), {
    depends_on: { sidemint: { condition: 'service_healthy' } },
    networks: ['default', 'metadata'],
    volumes: ['stand-in:/etc/sidemint-stand-in:ro'],
    environment: {
      NODE_EXTRA_CA_CERTS: '/etc/sidemint-stand-in/certificate.pem',
      REQUESTS_CA_BUNDLE: '/etc/sidemint-stand-in/bundle.pem',
      SSL_CERT_FILE: '/etc/sidemint-stand-in/bundle.pem',
      JAVA_TOOL_OPTIONS: '-Djavax.net.ssl.trustStore=/etc/sidemint-stand-in/truststore.p12',
    },
    extra_hosts: KEY_HOSTS.map((host) => `${host}:169.254.169.254`),
  })
  const [sidemint = '', receiver = ''] = portable.split('# and in that of the receiver:\n')
  t.deepEqual(parse(sidemint), { networks: { default: {}, receivers: { aliases: [...KEY_HOSTS] } } })
  t.deepEqual(parse(receiver), { networks: ['default', 'receivers'] })
})

test('env --receiver without compose is misuse', async (t) => {
  const { code, err } = await run(['env', '--receiver'])
  t.is(code, 2)
  t.regex(err, /--receiver: is for --format compose/)
})
