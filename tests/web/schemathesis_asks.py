# SPDX-License-Identifier: Apache-2.0
"""Asks an API what schemathesis makes up from its description: `python -m tests.web.schemathesis_asks URL [TOKEN]`.

A program of its own, since it waits for each answer of a server that runs in the test. Prints JSON: for each operation
how many requests were made, and the failure.
"""

import json
import sys

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.failures import FailureGroup

from station.web import api

EXAMPLES = 12


def main() -> None:
    url, *token = sys.argv[1:]
    headers = {"Authorization": f"Bearer {token[0]}"} if token else {}
    schema = schemathesis.openapi.from_dict(api.described_routes())
    schema.config.update(base_url=url)
    found = {}
    for route in api.ROUTES:
        asked = 0

        @given(case=schema[route.path][route.method].as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,  # the same requests in every run
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        def ask(case: Case) -> None:  # type: ignore[type-arg]  # of any kind
            nonlocal asked
            asked += 1
            case.call_and_validate(headers=headers)

        failure = ""
        try:
            ask()
        except FailureGroup as exc:
            failure = str(exc)
        found[f"{route.method} {route.path}"] = [asked, failure]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
