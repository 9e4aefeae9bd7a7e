/** Names that Google has chosen, and that several rooms need. */

/** How clients reach the metadata server where no variable says it. */
export const METADATA_NAME = 'metadata.google.internal'
export const METADATA_URL = `http://${METADATA_NAME}`
export const METADATA_ADDRESS = '169.254.169.254'

/** The variables that point clients at another metadata server; host and port, without a scheme. */
export const METADATA_VARIABLES = ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT'] as const

/** The project of gcloud's own OAuth client, and the client's id: the audience of `gcloud auth print-identity-token`. */
export const GCLOUD_PROJECT = '32555940559'
export const GCLOUD_CLIENT_ID = `${GCLOUD_PROJECT}.apps.googleusercontent.com`

/** The same for the client of `gcloud auth application-default login`. */
export const ADC_PROJECT = '764086051850'
export const ADC_CLIENT_ID = `${ADC_PROJECT}-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com`
