/** The tree of one identity as data, as Cloud Run or a VM shows it (docs/wire.md, "The Cloud Run tree"). A new key is a line here. */

import { createHash } from 'node:crypto'
import type { Settings } from '../config/settings.ts'
import type { Identity } from '../identity/identity.ts'
import { accessLeaf, identityLeaf } from './leaves.ts'
import { type Directory, type Leaf, overlay } from './tree.ts'

/** What the tree shows besides an identity. Without a zone: Cloud Run's pseudo zone, or the region's first on a VM. */
export interface Place extends Pick<Settings, 'platform' | 'region' | 'zone' | 'metadata'> {
  project: string
  projectNumber: string
  universe: string
  /** Epoch ms. */
  now: () => number
}

const SCOPES = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/userinfo.email']

/** Everything under `/`. */
export function createTreeData(identity: Identity | undefined, place: Place): Directory {
  const base: Directory = {
    instance: { ...instance(place), 'service-accounts': serviceAccounts(identity, place) },
    oslogin: {},
    project: {
      attributes: {},
      'numeric-project-id': BigInt(place.projectNumber),
      'project-id': place.project,
    },
    universe: { 'universe-domain': place.universe },
  }
  return { '0.1': {}, computeMetadata: { v1: overlay(base, place.metadata), v1beta1: {} } }
}

function instance({ platform, project, projectNumber, region, zone }: Place): Directory {
  const path = (rest: string) => `projects/${projectNumber}/${rest}`
  const digest = createHash('sha512').update(`instance of ${project}`).digest('hex')
  if (platform === 'cloud-run') {
    return {
      attributes: {},
      id: `00${digest.slice(0, 62)}`,
      region: path(`regions/${region}`),
      zone: path(`zones/${zone ?? `${region}-1`}`),
    }
  }
  return {
    attributes: {},
    'cpu-platform': 'Intel Broadwell',
    description: '',
    disks: [
      { 'device-name': 'persistent-disk-0', index: 0, interface: 'SCSI', mode: 'READ_WRITE', type: 'PERSISTENT' },
    ],
    hostname: `sidemint.c.${project}.internal`,
    id: BigInt(`0x${digest.slice(0, 15)}`) + 10n ** 18n,
    image: 'projects/debian-cloud/global/images/debian-12-bookworm-v20260101',
    licenses: [{ id: '2147286739765738111' }],
    'machine-type': path('machineTypes/e2-standard-2'),
    'maintenance-event': 'NONE',
    name: 'sidemint',
    'network-interfaces': [
      { ip: '10.128.0.2', mac: '42:01:0a:80:00:02', mtu: 1460, network: path('networks/default') },
    ],
    preempted: false,
    'remaining-cpu-time': -1,
    scheduling: { 'automatic-restart': true, 'on-host-maintenance': 'MIGRATE', preemptible: false },
    tags: [],
    'virtual-clock': { 'drift-token': 0 },
    zone: path(`zones/${zone ?? `${region}-a`}`),
  }
}

/**
 * gcloud needs the line with the email, gsutil the one with `default`, and both directories are complete (docs/wire.md,
 * "Service accounts"). Where nobody knows the email (a user's login) it is the local source's default one, since gcloud
 * takes no account without an email. Python asks for tokens by the email that it was shown, so that path means the
 * credential itself too.
 */
function serviceAccounts(identity: Identity | undefined, place: Place): Directory {
  if (identity === undefined) return {}
  const { principal, email = `default@${place.project}.iam.gserviceaccount.com` } = identity
  const accounts = identity.accounts.map((name) => [name, serviceAccount(name, name, place)] as const)
  const own = serviceAccount(email, principal, place)
  return { [email]: own, ...Object.fromEntries(accounts), default: own }
}

function serviceAccount(
  email: string,
  principal: string | undefined,
  place: Place,
): Record<string, string | string[] | Leaf> {
  return {
    aliases: ['default'],
    email,
    identity: identityLeaf(principal),
    scopes: SCOPES,
    token: accessLeaf(principal, place),
  }
}
