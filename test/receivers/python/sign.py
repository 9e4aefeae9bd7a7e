"""Makes a signed URL as on Cloud Run: with no key, by the metadata server and signBlob."""

import datetime

import google.auth
from google.auth.transport import requests
from google.cloud import storage

credentials, project = google.auth.default()
credentials.refresh(requests.Request())
blob = storage.Client(project, credentials).bucket("reports").blob("november.pdf")
print(
    blob.generate_signed_url(
        version="v4",
        expiration=datetime.timedelta(minutes=10),
        service_account_email=credentials.service_account_email,
        access_token=credentials.token,
    )
)
