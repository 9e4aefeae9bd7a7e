/** What doctor says of the compose files here, however it reads them. */

import type { Finding } from '../../../src/doctor/finding.ts'

/** check, status, what; the fix where one is looked at. */
export type Row = [check: string, status: Finding['status'], what: RegExp, fix?: RegExp]

interface Entry {
  shows: string
  rows: Row[]
  /** Where the text alone, without Compose, shows less. */
  plain?: Row[]
}

/** What is said first of a file that is read without Compose. */
export const PLAIN: Row = ['compose', 'ok', /no Docker Compose or Podman here.*read as plain YAML$/]

export const TABLE: Record<string, Entry> = {
  'link-local': {
    shows: 'a stack at 169.254.169.254 without a variable is clean, its gate and its database are left alone',
    rows: [
      ['compose', 'ok', /no (Docker answered|other network)/],
      ['compose:billing', 'ok', /asks sidemint at 169\.254\.169\.254/],
      ['compose:metadata', 'ok', /is a sidemint/],
      ['compose:orders', 'ok', /asks sidemint at 169\.254\.169\.254/],
      ['sidemint.yaml', 'ok', /what \S+settings\/sidemint\.yaml names is in the stack/],
    ],
  },
  variables: {
    shows: 'aliases and variables are clean, in lists, maps, merge keys, env_file and with defaults',
    rows: [
      ['compose:billing', 'ok', /at billing\.metadata\.internal:80$/],
      ['compose:metadata', 'ok', /is a sidemint/],
      ['compose:orders', 'ok', /at metadata\.google\.internal$/],
      ['compose:worker', 'ok', /at metadata$/],
    ],
    plain: [
      [
        'compose',
        'warn',
        /plain YAML: not followed are services\.worker\.env_file, variables/,
        /^docker compose config \| sidemint doctor --compose -$/,
      ],
      ['compose:billing', 'ok', /at billing\.metadata\.internal:80$/],
      ['compose:metadata', 'ok', /is a sidemint/],
      ['compose:orders', 'ok', /at metadata\.google\.internal$/],
      ['compose:worker', 'ok', /waits for sidemint/],
    ],
  },
  beside: {
    shows: "a sidemint in a service's own network is clean",
    rows: [
      ['compose:orders', 'ok', /at localhost:16925$/],
      ['compose:sidecar', 'ok', /is a sidemint/],
    ],
  },
  'own-credentials': {
    shows: 'a key or a gcloud login outranks sidemint; where nothing else asks for it, that is only a warning',
    rows: [
      ['compose:apart', 'warn', /GOOGLE_APPLICATION_CREDENTIALS is set/, /remove it from apart/],
      ['compose:key', 'fail', /GOOGLE_APPLICATION_CREDENTIALS is set to \/keys\/orders\.json/, /remove it from key/],
      ['compose:mount', 'fail', /\.config\/gcloud is mounted at \/root\/\.config\/gcloud/, /remove it from mount/],
      ['compose:moved', 'fail', /\.config\/gcloud is mounted at \/gcloud/, /remove it from moved/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
    plain: [
      ['compose', 'warn', /plain YAML: not followed are variables/, /docker compose config/],
      ['compose:apart', 'warn', /GOOGLE_APPLICATION_CREDENTIALS is set/, /remove it from apart/],
      ['compose:key', 'fail', /GOOGLE_APPLICATION_CREDENTIALS is set to \/keys\/orders\.json/, /remove it from key/],
      ['compose:mount', 'fail', /\.config\/gcloud is mounted at \/root\/\.config\/gcloud/, /remove it from mount/],
      ['compose:moved', 'fail', /\.config\/gcloud is mounted at \/gcloud/, /remove it from moved/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
  },
  'extra-hosts': {
    shows: 'extra_hosts stands in for an alias badly, and alone not at all',
    rows: [
      ['compose:alone', 'fail', /extra_hosts names metadata\.google\.internal.*alone has no other way/, /aliases:/],
      ['compose:alone', 'warn', /nothing points its clients/, /sidemint env --format compose/],
      ['compose:pointed', 'warn', /extra_hosts names metadata\.google\.internal/, /aliases:/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
  },
  order: {
    shows: 'who asks must wait until sidemint is healthy, by itself or through whom it waits for',
    rows: [
      ['compose:behind', 'ok', /asks sidemint/],
      ['compose:listed', 'warn', /may start before sidemint/, /condition: service_healthy/],
      ['compose:never', 'warn', /may start before sidemint/, /condition: service_healthy/],
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:started', 'warn', /may start before sidemint/, /condition: service_healthy/],
      ['compose:waiting', 'ok', /asks sidemint/],
    ],
  },
  addresses: {
    shows: 'the variables need no scheme, each other, and a name that resolves',
    rows: [
      ['compose:assuming', 'fail', /nothing points its clients at sidemint/, /sidemint env --format compose/],
      ['compose:elsewhere', 'fail', /on a network of elsewhere \(back\)/, /on one network/],
      ['compose:half', 'fail', /GCE_METADATA_IP is missing/, /^GCE_METADATA_IP: sidemint$/],
      ['compose:half', 'warn', /GCE_METADATA_ROOT is missing/, /^GCE_METADATA_ROOT: sidemint$/],
      ['compose:half-misspelt', 'fail', /GCE_METADATA_IP is missing/, /^GCE_METADATA_IP: sidemint$/],
      ['compose:half-misspelt', 'fail', /pointed at side-mint/, /name one of sidemint/],
      ['compose:half-schemed', 'fail', /GCE_METADATA_HOST is http:\/\/sidemint/, /^GCE_METADATA_HOST: sidemint$/],
      ['compose:half-schemed', 'fail', /GCE_METADATA_IP is missing/, /^GCE_METADATA_IP: sidemint$/],
      ['compose:misspelt', 'fail', /pointed at side-mint/, /name one of sidemint/],
      ['compose:nothing', 'warn', /nothing points its clients at sidemint/, /sidemint env --format compose/],
      ['compose:other-half', 'fail', /GCE_METADATA_HOST is missing/, /^GCE_METADATA_HOST: sidemint$/],
      ['compose:schemed', 'fail', /GCE_METADATA_HOST is http:\/\/sidemint:80/, /^GCE_METADATA_HOST: sidemint:80$/],
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:verifier', 'ok', /waits for sidemint/],
    ],
  },
  published: {
    shows: 'a sidemint that the whole network can reach fails, a gate does not',
    rows: [
      ['compose', 'warn', /no service asks sidemint/],
      ['compose:every', 'fail', /published on 0\.0\.0\.0/],
      ['compose:host', 'fail', /network_mode is host/, /^SIDEMINT_HOST: 127\.0\.0\.1$/],
      ['compose:long', 'fail', /16925:80 is published on every address/],
      ['compose:loopback', 'ok', /only this host/],
      ['compose:random', 'fail', /port 80 is published on every address/],
      ['compose:short', 'fail', /16925:80 is published on every address/, /127\.0\.0\.1:16925:80/],
      ['compose:six', 'fail', /published on ::/],
    ],
  },
  'single-files': {
    shows: 'a config, a key or a login mounted as one file is warned of, and a login that the image may not read',
    rows: [
      ['compose', 'warn', /no service asks sidemint/],
      ['compose:config', 'warn', /local\.yaml is mounted as a single file/, /its directory/],
      ['compose:foreign', 'warn', /uid 65532/, /^user: "\$\{UID:-1000\}"$/],
      ['compose:key', 'warn', /ci\.json is mounted as a single file/],
      ['compose:login', 'warn', /application_default_credentials\.json is mounted as a single file/],
      ['compose:renamed', 'warn', /local\.yaml is mounted as a single file/],
      ['compose:secret', 'warn', /application_default_credentials\.json is mounted as a single file/],
      ['compose:windows', 'warn', /C:\\Users\\ann\\sidemint\.yaml is mounted as a single file/],
      ['local.yaml', 'ok', /is in the stack/],
    ],
  },
  proxy: {
    shows: 'a proxy must spare sidemint, and K_SERVICE is warned of',
    rows: [
      ['compose:all', 'fail', /sidemint/, /^add sidemint to NO_PROXY and to no_proxy$/],
      ['compose:cloud-run', 'warn', /K_SERVICE/, /remove it from cloud-run/],
      ['compose:lower', 'fail', /HTTP_PROXY.*sidemint/, /^add sidemint to NO_PROXY/],
      ['compose:proxied', 'fail', /HTTPS_PROXY.*sidemint/, /^add sidemint to NO_PROXY/],
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:spared', 'ok', /asks sidemint/],
    ],
  },
  none: {
    shows: 'a file without a sidemint is said to have none',
    rows: [
      ['compose', 'warn', /no service is a sidemint/, /image name or alias/],
      ['compose:orders', 'ok', /asks metadata\.google\.internal, which is not in this file/],
    ],
  },
  elsewhere: {
    shows: 'what a file takes in by `extends`, `include` and a profile is looked at',
    rows: [
      ['compose:billing', 'fail', /GCE_METADATA_HOST is http:\/\/sidemint/],
      ['compose:orders', 'ok', /asks sidemint at sidemint/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
    plain: [
      ['compose', 'warn', /not followed are include, services\.orders\.extends/, /docker compose config/],
      ['compose', 'warn', /no service asks sidemint/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
  },
  required: {
    shows: 'a required variable that is missing is a finding, and nothing is said of what variables decide',
    rows: [
      ['compose', 'fail', /requires the variable PASSWORD/, /^export PASSWORD=/],
      ['compose:orders', 'fail', /GCE_METADATA_ROOT is http:\/\/sidemint/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
    plain: [
      ['compose', 'warn', /not followed are variables/, /docker compose config/],
      ['compose:orders', 'fail', /GCE_METADATA_ROOT is http:\/\/sidemint/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
  },
  broken: {
    shows: 'a file that is no YAML fails',
    rows: [['compose', 'fail', /an alias is unknown/, /compose config/]],
    plain: [['compose', 'fail', /an alias is unknown/, /compose config/]],
  },
  absent: {
    shows: 'a file that is not there fails',
    rows: [['compose', 'fail', /ENOENT/, /compose config/]],
    plain: [['compose', 'fail', /ENOENT/, /compose config/]],
  },
}
