/** The tree of one identity as data, as Cloud Run or a VM shows it (docs/wire.md, "The Cloud Run tree"). A new key is a line here. */

import { createHash } from 'node:crypto'
import type { Settings } from '../config/settings.ts'
import { DEFAULT_SCOPES } from '../core/google.ts'
import type { Identity } from '../identity/identity.ts'
import { describeInstance } from './instance-claim.ts'
import { accessLeaf, identityLeaf } from './leaves.ts'
import { type Directory, type Leaf, overlay } from './tree.ts'

/** Shown where nothing names a region: the tree must have one. */
const NO_REGION = 'us-central1'

/** What the tree shows besides an identity; any setting may be among it. Without a zone: Cloud Run's pseudo zone, or the region's first on a VM. */
export interface TreeOptions extends Settings {
  project: string
  projectNumber: string
  universe: string
  /** Epoch ms. */
  now: () => number
}

type Describe = Parameters<typeof identityLeaf>[2]

/** Everything under `/`. */
export function createTreeData(identity: Identity | undefined, options: TreeOptions): Directory {
  const describe: Describe = (withLicenses) => describeInstance(v1, withLicenses)
  const base: Directory = {
    instance: { ...instance(options), 'service-accounts': serviceAccounts(identity, options, describe) },
    oslogin: {},
    project: {
      attributes: {},
      'numeric-project-id': BigInt(options.projectNumber),
      'project-id': options.project,
    },
    universe: { 'universe-domain': options.universe },
  }
  const v1 = overlay(base, options.metadata)
  return { '0.1': {}, computeMetadata: { v1, v1beta1: {} } }
}

/**
 * Cloud Run's own keys are `id`, `region` and `zone` (cloud.google.com/run/docs/container-contract#metadata-server). It
 * is shown with a VM's name, machine type and the like too: without `K_SERVICE`, which an app on a laptop does not set,
 * OpenTelemetry's detectors find Google's platform by the machine type alone
 * (go.opentelemetry.io/contrib/detectors/gcp, internal/gce.go).
 */
function instance(options: TreeOptions): Directory {
  const { platform, project, projectNumber, region = NO_REGION, zone } = options
  const path = (rest: string) => `projects/${projectNumber}/${rest}`
  const digest = createHash('sha512').update(`instance of ${project}`).digest('hex')
  const shared = {
    attributes: {},
    description: '',
    hostname: `sidemint.c.${project}.internal`,
    'machine-type': path('machineTypes/e2-standard-2'),
    'maintenance-event': 'NONE',
    name: 'sidemint',
    preempted: false,
    scheduling: { 'automatic-restart': true, 'on-host-maintenance': 'MIGRATE', preemptible: false },
    tags: [],
  }
  if (platform === 'cloud-run') {
    return {
      ...shared,
      id: `00${digest.slice(0, 62)}`,
      region: path(`regions/${region}`),
      zone: path(`zones/${zone ?? `${region}-1`}`),
    }
  }
  return {
    ...shared,
    'cpu-platform': 'Intel Broadwell',
    disks: [
      { 'device-name': 'persistent-disk-0', index: 0, interface: 'SCSI', mode: 'READ_WRITE', type: 'PERSISTENT' },
    ],
    id: BigInt(`0x${digest.slice(0, 15)}`) + 10n ** 18n,
    image: 'projects/debian-cloud/global/images/debian-12-bookworm-v20260101',
    licenses: [{ id: '2147286739765738111' }],
    'network-interfaces': [networkInterface(path('networks/default'))],
    'partner-attributes': {},
    'remaining-cpu-time': -1,
    'virtual-clock': { 'drift-token': 0 },
    zone: path(`zones/${zone ?? `${region}-a`}`),
  }
}

/** Of a machine without an address of its own in the internet. */
function networkInterface(network: string): Directory {
  return {
    'access-configs': [{ 'external-ip': '', type: 'ONE_TO_ONE_NAT' }],
    'dns-servers': ['169.254.169.254'],
    gateway: '10.128.0.1',
    ip: '10.128.0.2',
    mac: '42:01:0a:80:00:02',
    mtu: 1460,
    network,
    subnetmask: '255.255.240.0',
  }
}

/**
 * gcloud needs the line with the email, gsutil the one with `default`, and both directories are complete (docs/wire.md,
 * "Service accounts"). Where nobody knows the email (a user's login) it is the local source's default one, since gcloud
 * takes no account without an email. Python asks for tokens by the email that it was shown, so that path means the
 * credential itself too.
 */
function serviceAccounts(identity: Identity | undefined, options: TreeOptions, describe: Describe): Directory {
  if (identity === undefined) return {}
  const { principal, email = `default@${options.project}.iam.gserviceaccount.com` } = identity
  const accounts = identity.accounts.map((name) => [name, serviceAccount(name, name, options, describe)] as const)
  const own = serviceAccount(email, principal, options, describe)
  return { [email]: own, ...Object.fromEntries(accounts), default: own }
}

function serviceAccount(
  email: string,
  principal: string | undefined,
  options: TreeOptions,
  describe: Describe,
): Record<string, string | string[] | Leaf> {
  return {
    aliases: ['default'],
    email,
    identity: identityLeaf(principal, options, describe),
    scopes: DEFAULT_SCOPES,
    token: accessLeaf(principal, options),
  }
}
