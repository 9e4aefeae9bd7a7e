"""python probe.py CLIENT ASKED"""

import json
import sys
import warnings
from importlib import metadata

warnings.simplefilter("ignore")
client, asked = sys.argv[1], json.loads(sys.argv[2])


def step(name, get):
    try:
        line = {"step": name, "value": get()}
    except Exception as error:
        line = {"step": name, "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(line), flush=True)


def refusal(get):
    try:
        get()
    except Exception as error:
        return str(error)
    raise AssertionError("it was not refused")


def version(package):
    step("version", lambda: metadata.version(package))


def auth():
    import google.auth
    from google.auth import compute_engine
    from google.auth.compute_engine import _metadata
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    version("google-auth")
    request = Request()
    credentials, project = google.auth.default()

    def access_token(credentials):
        credentials.refresh(request)
        return credentials.token

    step("detection", lambda: isinstance(credentials, compute_engine.Credentials))
    step("project", lambda: project)
    step("accessToken", lambda: access_token(credentials))
    step("account", lambda: credentials.service_account_email)
    step("scopes", lambda: access_token(google.auth.default(scopes=asked["scopes"])[0]))
    step("idToken", lambda: id_token.fetch_id_token(request, asked["audience"]))
    step("bareIdToken", lambda: id_token.fetch_id_token(request, asked["bareAudience"]))
    step("universe", lambda: credentials.universe_domain)
    step("verified", lambda: verified(id_token, request))
    step("refused", lambda: refusal(lambda: id_token.fetch_id_token(request, asked["refusedAudience"])))


def verified(id_token, request):
    token = id_token.fetch_id_token(request, asked["audience"])
    certificates = asked["url"] + "/oauth2/v1/certs"
    claims = id_token.verify_token(token, request, asked["audience"], certs_url=certificates)
    return claims["aud"] == asked["audience"]


def storage():
    from google.auth.transport.requests import Request
    from google.cloud import storage

    version("google-cloud-storage")
    client = storage.Client()

    def access_token():
        client._credentials.refresh(Request())
        return client._credentials.token

    step("project", lambda: client.project)
    step("accessToken", access_token)
    step("account", lambda: client._credentials.service_account_email)
    step("universe", lambda: client.universe_domain)


def logging():
    from google.cloud.logging_v2.handlers._monitored_resources import detect_resource

    version("google-cloud-logging")
    resource = detect_resource()
    step("detection", lambda: resource.type)
    step("project", lambda: resource.labels["project_id"])


def openai():
    from openai.auth import gcp_id_token_provider

    version("openai")
    get = lambda audience: gcp_id_token_provider(audience)["get_token"]()
    step("idToken", lambda: get(asked["audience"]))
    step("bareIdToken", lambda: get(asked["bareAudience"]))
    step("refused", lambda: refusal(lambda: get(asked["refusedAudience"])))


{"google-auth": auth, "google-cloud-storage": storage, "google-cloud-logging": logging, "openai": openai}[client]()
