"""What orders does when tokens are late, missing or wrong. Run with: sidemint exec -- pytest"""

import google.auth.exceptions
import google.auth.jwt
import google.auth.transport.requests
import pytest
from google.oauth2 import id_token

BILLING = "https://billing.example"


def test_a_refused_token_is_an_error(sidemint):
    sidemint.fail_next(status=403, audience=BILLING)
    with pytest.raises(google.auth.exceptions.GoogleAuthError):
        id_token.fetch_id_token(google.auth.transport.requests.Request(), BILLING)
    assert [asked["status"] for asked in sidemint.requests()] == [403]


def test_a_token_of_somebody_else_is_read(sidemint):
    token = sidemint.issue(audience=BILLING, claims={"email": "eve@evil.example"}, expiresInSeconds=-600)
    assert google.auth.jwt.decode(token, verify=False)["email"] == "eve@evil.example"
