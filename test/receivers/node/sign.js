// Makes a signed URL as on Cloud Run: with no key, by the metadata server and signBlob.
import { Storage } from '@google-cloud/storage'

const file = new Storage().bucket('reports').file('november.pdf')
const [url] = await file.getSignedUrl({ version: 'v4', action: 'read', expires: Date.now() + 600_000 })
console.log(url)
