/**
 * Every setting, one entry each: its check, its help, who takes it and its default. Flags, variables, keys of the file,
 * help, the reference's table, JSON Schema and types are all made from this.
 */

import * as v from 'valibot'
import { METADATA_URL } from '../core/google.ts'
import { DEFAULT_PORT, DEFAULT_URL } from '../core/host.ts'
import {
  CLIENTS,
  COMMANDS,
  digits,
  email,
  listOf,
  oneOf,
  path,
  project,
  SERVERS,
  settingsTable,
  text,
  url,
  whole,
  yesOrNo,
} from '../core/schemas.ts'
import { GATE_SETTINGS } from '../gate/settings.ts'
import { identity, overlay } from './trees.ts'

const SOURCE = 'must be auto, google, metadata, metadata=HOST or local'

export const SETTINGS = settingsTable({
  config: {
    kind: 'text',
    value: 'PATH',
    schema: path,
    help: 'the settings file (default: ./sidemint.yaml if there)',
    takenBy: COMMANDS,
  },
  host: {
    kind: 'text',
    value: 'ADDRESS',
    schema: text,
    help: 'address to listen on',
    takenBy: [...SERVERS, 'gate'],
    default: '127.0.0.1',
    imageDefault: { serve: '0.0.0.0', gate: '0.0.0.0', doctor: '0.0.0.0' },
  },
  port: {
    kind: 'number',
    value: 'N',
    schema: whole(0, 65535),
    help: 'port to listen on; 0 takes a free one',
    takenBy: [...SERVERS, 'gate'],
    default: DEFAULT_PORT,
    defaultOf: { exec: 0, gate: 8080, library: 0 },
    imageDefault: { serve: 80, doctor: 80 },
  },
  server: {
    kind: 'text',
    value: 'URL',
    schema: url,
    help: 'the server that client commands ask',
    takenBy: [...CLIENTS, 'env', 'explain', 'grants', 'doctor'],
    default: DEFAULT_URL,
    imageDefault: {
      token: 'http://127.0.0.1',
      curl: 'http://127.0.0.1',
      explain: 'http://127.0.0.1',
      grants: 'http://127.0.0.1',
    },
  },
  source: {
    kind: 'text',
    value: 'SOURCE',
    schema: v.pipe(v.string(SOURCE), v.regex(/^(auto|google|local|metadata(=[^\s/]+)?)$/, SOURCE)),
    help: 'who mints: auto, google, metadata[=HOST] or local',
    takenBy: [...SERVERS, ...CLIENTS],
    default: 'auto',
    // Tests get local tokens; a server for people looks for credentials.
    defaultOf: { exec: 'local', library: 'local' },
  },
  impersonateServiceAccount: {
    kind: 'list',
    value: 'A[,B…]',
    schema: listOf(email),
    help: 'mint as the last of these; those before it are the delegates',
    takenBy: [...SERVERS, ...CLIENTS],
  },
  serviceAccount: {
    kind: 'text',
    value: 'EMAIL',
    schema: email,
    help: 'the default identity',
    takenBy: [...SERVERS, ...CLIENTS],
  },
  project: { kind: 'text', value: 'ID', schema: project, help: 'project id', takenBy: [...SERVERS, ...CLIENTS] },
  projectNumber: { kind: 'text', value: 'N', schema: digits, help: 'project number', takenBy: SERVERS },
  region: { kind: 'text', value: 'REGION', schema: text, help: 'region (default: us-central1)', takenBy: SERVERS },
  zone: { kind: 'text', value: 'ZONE', schema: text, help: "zone (default: the region's first)", takenBy: SERVERS },
  platform: {
    kind: 'text',
    value: 'PLATFORM',
    schema: oneOf('gce', 'cloud-run'),
    help: 'which tree is shown: gce or cloud-run',
    takenBy: SERVERS,
    default: 'cloud-run',
  },
  allowAudience: {
    kind: 'list',
    value: 'GLOB',
    schema: listOf(text),
    help: 'audiences that may be asked for (default: any)',
    takenBy: SERVERS,
    default: ['*'],
  },
  allowHost: {
    kind: 'list',
    value: 'NAME',
    schema: listOf(text),
    help: 'more Host names that are accepted',
    takenBy: SERVERS,
    default: [],
  },
  allowUserTokens: {
    kind: 'boolean',
    schema: yesOrNo,
    help: "serve a user login's own tokens, with all that user's rights",
    takenBy: [...SERVERS, ...CLIENTS],
    default: false,
  },
  issuer: {
    kind: 'text',
    value: 'URL',
    schema: url,
    help: "local source: the `iss` claim (default: this server's own URL)",
    takenBy: [...SERVERS, ...CLIENTS],
    imageDefault: { serve: METADATA_URL, doctor: METADATA_URL },
  },
  keyFile: {
    kind: 'text',
    value: 'PATH',
    schema: path,
    help: 'local source: keep the key here (default: in memory)',
    takenBy: [...SERVERS, ...CLIENTS],
  },
  controlSecretFile: {
    kind: 'text',
    value: 'PATH',
    schema: path,
    help: 'what tests may order over HTTP is on, for who sends the secret in this file',
    takenBy: ['serve', ...CLIENTS],
  },
  standIn: {
    kind: 'text',
    value: 'DIR',
    schema: path,
    help: "local source: answer as Google's key hosts too, over TLS; receivers mount DIR, which holds the certificate",
    takenBy: SERVERS,
  },
  standInPort: {
    kind: 'number',
    value: 'N',
    schema: whole(0, 65535),
    help: "port of Google's key hosts; clients know no other",
    takenBy: SERVERS,
    default: 443,
    defaultOf: { library: 0 },
  },
  cacheEntries: {
    kind: 'number',
    value: 'N',
    schema: whole(1, 10_000_000),
    help: 'how many tokens are kept at most',
    takenBy: SERVERS,
    default: 10_000,
  },
  logFormat: {
    kind: 'text',
    value: 'FORMAT',
    schema: oneOf('text', 'json'),
    help: 'text or json',
    takenBy: ['serve', 'exec', 'doctor', 'gate'],
    default: 'text',
  },
  logLevel: {
    kind: 'text',
    value: 'LEVEL',
    schema: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    help: 'debug, info, warn, error or silent',
    takenBy: ['serve', 'exec', 'doctor', 'gate'],
    default: 'info',
    defaultOf: { exec: 'warn' },
  },
  ...GATE_SETTINGS,
  identities: {
    kind: 'tree',
    schema: listOf(identity),
    help: 'which callers get which service account',
    takenBy: SERVERS,
    default: [],
  },
  metadata: {
    kind: 'tree',
    schema: overlay,
    help: "values laid over the metadata tree, by Google's key names; null removes a key",
    takenBy: SERVERS,
    default: {},
  },
})

/** `SIDEMINT_*` variables without a flag or a key of the file: secrets, and where we run. */
export const OTHER_VARIABLES = [
  'SIDEMINT_CONTROL_SECRET',
  'SIDEMINT_CREDENTIALS',
  'SIDEMINT_HOST_CLOUDSDK_CONFIG',
  'SIDEMINT_IMAGE',
]
