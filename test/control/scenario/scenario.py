"""Eight steps of a test suite with a sidemint in SIDEMINT_SERVER; prints what each step saw."""

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

SERVER = os.environ["SIDEMINT_SERVER"]
SECRET = os.environ["SIDEMINT_CONTROL_SECRET"]
BILLING, LEDGER = "https://billing.example", "https://ledger.example"


def call(method, path, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SERVER + path, method=method, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def order(method, path, body=None):
    status, text = call(method, "/_sidemint/" + path, body, {"Authorization": "Bearer " + SECRET})
    assert status == 200, text
    return json.loads(text)


def ask(audience):
    path = "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience="
    return call("GET", path + urllib.parse.quote(audience, safe=""), headers={"Metadata-Flavor": "Google"})


def part(token, index):
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def failed(audience):
    began = time.monotonic()
    status, text = ask(audience)
    late = "late" if time.monotonic() - began >= 0.3 else "at once"
    return f"{status} {json.loads(text)['error']} {late}"


def requests():
    return [f"{one['audience']} {one['result']} {one['status']}" for one in order("GET", "requests")["requests"]]


order("POST", "control/reset")

claims = {"email": "eve@evil.example"}
issued = order("POST", "control/issue", {"audience": BILLING, "claims": claims, "expiresInSeconds": -600})
got = part(issued["token"], 1)
print("1 issue for an audience:", got["aud"], got["email"], round((got["exp"] - time.time()) / 60))

got = part(order("POST", "control/issue", {"user": "ann@acme.example"})["token"], 1)
print("2 issue for a user:", got["email"], got["hd"])

status, token = ask(BILLING)
print("3 ask:", status, part(token, 1)["aud"], part(token, 1)["email"])

order("POST", "control/fail-next", {"status": 503, "times": 2, "audience": "https://billing*", "delayMs": 300})
seen = [failed(BILLING), str(ask(LEDGER)[0]), failed(BILLING), str(ask(BILLING)[0])]
order("POST", "control/fail-next", {"drop": True})
try:
    seen.append(str(ask(BILLING)[0]))
except http.client.RemoteDisconnected:
    seen.append("no answer")
print("4 fail next:", ", ".join(seen))

order("POST", "control/fail-next", {"times": 3})
emptied = order("POST", "control/reset")["emptied"]
counts = [f"{name} {emptied[name]}" for name in ["requests", "calls", "grants", "failures", "tokens"]]
print("5 reset:", ", ".join(counts) + ", then", ask(BILLING)[0])

ask(BILLING)
print("6 requests:", ", ".join(requests()))

order("DELETE", "requests")
print("7 delete requests:", len(requests()))

new = order("POST", "control/rotate")["kid"]
kids = [key["kid"] for key in json.loads(call("GET", "/oauth2/v3/certs")[1])["keys"]]
both = "published" if part(token, 0)["kid"] in kids and new in kids else "not published"
signs = "signs" if part(ask(BILLING)[1], 0)["kid"] == new != part(token, 0)["kid"] else "does not sign"
print(f"8 rotate: both keys are {both}, the new one {signs}")
