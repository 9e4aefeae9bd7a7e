/** The calling side, as it runs on Cloud Run: an ID token from the metadata server, then the call. */
async function callBilling(url) {
  const metadata = process.env.GCE_METADATA_HOST ?? 'metadata.google.internal'
  const query = new URLSearchParams({ audience: url, format: 'full' })
  const identity = await fetch(
    `http://${metadata}/computeMetadata/v1/instance/service-accounts/default/identity?${query}`,
    { headers: { 'Metadata-Flavor': 'Google' } },
  )
  if (!identity.ok) throw new Error(`no ID token: ${await identity.text()}`)
  return fetch(url, { headers: { authorization: `Bearer ${await identity.text()}` } })
}

module.exports = { callBilling }
