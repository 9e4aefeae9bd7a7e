/** What a compose service needs that verifies tokens with Google's own libraries, where sidemint has --stand-in. */

import { KEY_HOSTS, METADATA_ADDRESS } from '../core/google.ts'

/** What the directory of the stand-in holds. */
export const STAND_IN_FILES = {
  certificate: 'certificate.pem',
  bundle: 'bundle.pem',
  trustStore: 'truststore.p12',
} as const

/** Where a receiver has that directory. */
export const RECEIVER_DIRECTORY = '/etc/sidemint-stand-in'

/** The variables by which each language takes a certificate, and whether its file replaces all others. */
export const TRUST_VARIABLES = [
  { name: 'NODE_EXTRA_CA_CERTS', file: STAND_IN_FILES.certificate, languages: 'Node.js' },
  { name: 'REQUESTS_CA_BUNDLE', file: STAND_IN_FILES.bundle, languages: 'Python' },
  { name: 'SSL_CERT_FILE', file: STAND_IN_FILES.bundle, languages: 'Go, Python, Ruby, .NET on Linux, curl' },
  { name: 'JAVA_TOOL_OPTIONS', file: STAND_IN_FILES.trustStore, languages: 'Java, by NetHttpTransport' },
] as const

/** Entries of the receiver's service, then what gives it the way to sidemint where that has no fixed address. */
export function describeReceiver(): string {
  const variables = TRUST_VARIABLES.map(({ name, file, languages }) => {
    const path = `${RECEIVER_DIRECTORY}/${file}`
    return `  ${name}: ${name === 'JAVA_TOOL_OPTIONS' ? `-Djavax.net.ssl.trustStore=${path}` : path} # ${languages}`
  })
  return `# In the service that verifies tokens. stand-in is the volume that sidemint has where its --stand-in is.
depends_on:
  sidemint: { condition: service_healthy }
volumes:
  - stand-in:${RECEIVER_DIRECTORY}:ro
networks: [default, metadata] # metadata: where sidemint has the address ${METADATA_ADDRESS}, as the README's stack calls it
environment: # the line of its language; the others do no harm. PHP: curl.cainfo=${RECEIVER_DIRECTORY}/${STAND_IN_FILES.bundle} in php.ini
${variables.join('\n')}
extra_hosts:
${KEY_HOSTS.map((host) => `  - ${host}:${METADATA_ADDRESS}`).join('\n')}

# Where sidemint has no fixed address: without extra_hosts, and in place of metadata a network for sidemint and its receivers alone.
# Whoever else is on it would find sidemint under these names too. In the service of sidemint:
networks:
  default: {}
  receivers:
    aliases: [${KEY_HOSTS.join(', ')}]
# and in that of the receiver:
networks: [default, receivers]
`
}
