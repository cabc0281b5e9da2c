# SPDX-License-Identifier: Apache-2.0
"""Writes docs/api.md from the API's own description: `python -m tests.builders.api_page`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from station.web.api import PREFIX
from station.web.routes import described_routes

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

HEAD = f"""# The API

The daemon answers at the address of its page (`[web] listen`, by default `http://127.0.0.1:8470`). `{PREFIX}/openapi.json` describes everything below in
OpenAPI 3.1; `python -m tests.builders.api_page` makes this page from it. Version 1 only grows: ignore fields that you do not know.

- Times are UTC, durations seconds. No answer has a passcode, but a label (`label.svg`, `.pdf`, `.zpl`), and none a key or a token of somebody else.
- Errors are `application/problem+json` (RFC 9457): `status`, `title`, and in `detail` what to do about it. A name that the station does not know, in a query or
  a body, is an error, so that a typing mistake selects nothing by accident.
- A GET has an `ETag`; asked again with `If-None-Match`, the answer is 304 without a body.
- Lists come in pages: `limit` entries after the entry `after`. `next` is the next page's `after`, and null on the last one.
- Whoever changes something needs a token. `station people add NAME --role engineer` gives a person a PIN, which buys a token for two minutes;
  `station people token NAME` gives a program a token that lasts until `station people remove NAME`. The ledger keeps each act with the name and the address.
- Where other PCs reach the page (`https://`), reading needs a token, too: `station people token NAME --role reader` gives one that changes nothing. Browsers
  read by the cookie of `/sign-in`, which no change accepts. Only `/healthz` is open there.
- Wrong PINs delay their own address, twice as long each time and up to a minute, and nobody else. `Retry-After` has the seconds: of the 403 for a wrong PIN, and
  of the 429 for one that came too early.

```console
$ curl --silent "http://127.0.0.1:8470{PREFIX}/attempts?slot=4&verdict=fail&since=2026-11-26T09:00:00Z"
$ curl --silent --json '{{"reason": "bent pin"}}' --header "Authorization: Bearer $TOKEN" http://127.0.0.1:8470{PREFIX}/slots/4/hold
```

## Routes

"""

TAIL = f"""
## The stream

`GET {PREFIX}/stream` sends server-sent events: first `snapshot`, the whole board, then `slot`, `line`, `lot`, `last` and `plans` as each changes, a `beat` every
second, and `bye` when the daemon ends. A listener that comes back with `Last-Event-ID`, or with `?after=`, gets what it missed. One that does not read, or
takes what it is sent seconds late, is cut off.

## Metrics and health

`GET /metrics` is for Prometheus: slots, attempts, faults, seconds by step, the PKI, the ledger, the lot, the log, the lamp and the event loop; counters begin at zero with
the daemon. `GET /healthz` answers as long as the daemon works, `GET /readyz` with 200 only if the line could judge a board now, else 503 with the reasons.
"""


def page() -> str:
    return HEAD + "".join(_rows()) + TAIL


def _rows() -> Iterator[str]:
    yield "| route | what | for | it may be asked with |\n|---|---|---|---|\n"
    for path, operations in _table(described_routes()["paths"]).items():
        for method, operation in _table(operations).items():
            about = _table(operation)
            role = "an operator" if "operator" in str(about.get("description")) else "an engineer"
            who = role if "security" in about else "everybody who reaches the page"
            yield f"| `{method.upper()} {path}` | {about['summary']} | {who} | {', '.join(_asked(about)) or 'nothing'} |\n"


def _asked(operation: Mapping[str, object]) -> Iterator[str]:
    parameters = operation["parameters"]
    assert isinstance(parameters, list)
    yield from (f"`{each['name']}`" for each in parameters if each["in"] == "query")
    if "requestBody" in operation:
        content = _table(_table(operation["requestBody"])["content"])
        schema = _table(_table(content["application/json"])["schema"])
        yield from (f"`{name}` in the body" for name in _table(schema["properties"]))


def _table(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
