"""The code under test asks as it does on Cloud Run. Run with: sidemint exec -- pytest"""

import google.auth.jwt
import google.auth.transport.requests
from google.oauth2 import id_token


def test_orders_gets_an_id_token_for_billing():
    request = google.auth.transport.requests.Request()
    token = id_token.fetch_id_token(request, "https://billing.example")
    claims = google.auth.jwt.decode(token, verify=False)
    assert claims["aud"] == "https://billing.example"
    assert claims["email"].endswith(".iam.gserviceaccount.com")


def test_application_default_credentials_are_the_metadata_server():
    credentials, project = google.auth.default()
    credentials.refresh(google.auth.transport.requests.Request())
    assert "local" in credentials.token
    assert project == "sidemint-local"
