/** Google's names that several rooms need. */

/** Where clients look for the metadata server by default (docs/wire.md, "Addresses and Host"). */
export const METADATA_NAME = 'metadata.google.internal'
export const METADATA_URL = `http://${METADATA_NAME}`
export const METADATA_ADDRESS = '169.254.169.254'

/** The variables that point clients at another metadata server: host and port, without a scheme (docs/wire.md, "Variables"). */
export const METADATA_VARIABLES = ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT'] as const

/** gcloud's own project, and its OAuth client's id: the audience of `gcloud auth print-identity-token` (docs/wire.md, "gcloud"). */
export const GCLOUD_PROJECT = '32555940559'
export const GCLOUD_CLIENT_ID = `${GCLOUD_PROJECT}.apps.googleusercontent.com`

/** The same of `gcloud auth application-default login` (docs/gate.md, "Audiences"). */
export const ADC_PROJECT = '764086051850'
export const ADC_CLIENT_ID = `${ADC_PROJECT}-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com`

/** The `iss` claim of Google's ID tokens. */
export const GOOGLE_ISSUER = 'https://accounts.google.com'

/** Of whom nobody says more: the scopes of a service account on Cloud Run, and on most VMs. */
export const DEFAULT_SCOPES = [
  'https://www.googleapis.com/auth/cloud-platform',
  'https://www.googleapis.com/auth/userinfo.email',
]

/** The hosts of Google that publish the keys of its tokens, or sign for an account. */
export const KEY_HOSTS = [
  'www.googleapis.com',
  'oauth2.googleapis.com',
  'accounts.google.com',
  'iamcredentials.googleapis.com',
] as const
