"""Hands what it reads to the lines of the page, and says what they answer. A line is {token} or {url}."""

import json
import sys

import requests
from verify import verify


def act(asked):
    if "url" in asked:
        return {"status": requests.get(asked["url"]).status_code}
    return {"accepted": verify(asked["token"])}


for line in sys.stdin:
    try:
        said = act(json.loads(line))
    except Exception as error:
        said = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
