# SPDX-License-Identifier: Apache-2.0
"""JSON answers with an entity tag, so that whoever asks again gets the body only if it has changed."""

import hashlib
import json
from collections.abc import Mapping

from aiohttp import web
from pydantic import BaseModel


def as_json(request: web.Request, content: BaseModel | Mapping[str, object]) -> web.Response:
    """The content, or word that the asker's copy is still right (RFC 9110 13.1.2)."""
    text = content.model_dump_json() if isinstance(content, BaseModel) else json.dumps(content, separators=(",", ":"))
    etag = hashlib.sha256(text.encode()).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
    known = request.if_none_match or ()
    if any(each.value in {etag, "*"} for each in known):
        return web.Response(status=304, headers=headers)
    return web.Response(text=text, content_type="application/json", headers=headers)
