/**
 * A class of Google's library for each form of credential, constructed directly: the library's loaders would run gcloud,
 * probe for a metadata server and print warnings (docs/minting.md, "Loaders that are not used"). A client is used for one
 * call, so its own caching does not matter; we keep the tokens.
 */

import { failure } from '../../core/errors.ts'
import { type Credential, describeCredential } from '../adc.ts'
import { DEFAULT_UNIVERSE } from '../universe.ts'
import type { Client, ClientOptions } from './client.ts'
import { createFederatedClient } from './federated.ts'
import { createForeignKeyClient, createKeyClient } from './key.ts'
import { createUserClient, createWorkforceClient } from './logins.ts'

/** The account of this machine; its metadata server gives the tokens. */
export interface Machine {
  kind: 'machine'
  client: Client
}

/** A credential that does not impersonate. */
export type RootCredential = Exclude<Credential, { kind: 'impersonated' }> | Machine

/**
 * The client of each credential, made at its first use. Throws CREDENTIALS_UNUSABLE or UNIVERSE_UNSUPPORTED where Google
 * cannot be asked with the credential.
 */
export function createClients(options: Omit<ClientOptions, 'name'>): (credential: RootCredential) => Client {
  const clients = new Map<RootCredential, Client>()
  const clientOf = (credential: RootCredential) =>
    credential.kind === 'machine'
      ? credential.client
      : createClient(credential, { ...options, name: describeCredential(credential) })
  return (credential) => {
    const client = clients.get(credential) ?? clientOf(credential)
    clients.set(credential, client)
    return client
  }
}

function createClient(credential: Exclude<RootCredential, Machine>, options: ClientOptions): Client {
  const { name, universe } = options
  switch (credential.kind) {
    case 'key':
      return universe === DEFAULT_UNIVERSE
        ? createKeyClient(credential.json, options)
        : createForeignKeyClient(credential.json, options)
    case 'user':
      if (universe !== DEFAULT_UNIVERSE) throw failure('UNIVERSE_UNSUPPORTED', { what: `a ${name}`, universe })
      return createUserClient(credential.json, options)
    case 'federated':
      return createFederatedClient(credential.json, options)
    case 'workforce':
      return createWorkforceClient(credential.json, options)
    case 'gdch':
      throw failure('CREDENTIALS_UNUSABLE', { what: `a ${name}` })
  }
}
