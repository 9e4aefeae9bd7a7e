"""What a test may order of the sidemint that runs it: faults, tokens, and what was asked."""

import json
import os
import urllib.request

import pytest


class Sidemint:
    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{os.environ['SIDEMINT_SERVER']}/_sidemint/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {os.environ['SIDEMINT_CONTROL_SECRET']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def fail_next(self, **order):
        self._call("POST", "control/fail-next", order)

    def issue(self, **order):
        return self._call("POST", "control/issue", order)["token"]

    def requests(self):
        return self._call("GET", "requests")["requests"]

    def reset(self):
        self._call("POST", "control/reset", {})


@pytest.fixture
def sidemint():
    server = Sidemint()
    server.reset()
    return server
