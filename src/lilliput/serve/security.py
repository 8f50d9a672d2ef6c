"""Who may talk to the server, and what a browser may do with its pages.

On loopback, other web pages in the user's browser are the danger. A page of another site can send requests to
127.0.0.1, and with DNS rebinding it can read the answers under a name of its own. So the Host header must name this
server, and a request that a browser marks as coming from another site is refused. On another address every request
needs the token, which no other page knows.
"""

import hmac
import ipaddress
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lilliput.serve.errors import ApiError

MOST_BYTES = 1_000_000
"""Largest body of a request."""
MOST_UPLOADED = 200_000_000
"""Largest file that may be uploaded."""
UPLOADS = "/api/uploads"
OPEN_PATHS = ("/", "/health")
"""Paths that need no token, beside those of the page's files, which must be there to ask for it."""
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Return whether an address or name is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass
class Security:
    """ASGI middleware in front of the application; `origins` are web sites that may use the API (CORS)."""

    application: ASGIApp
    host: str
    token: str | None
    origins: tuple[str, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = Headers(scope=scope)
        error = self._error(scope, headers)
        sender = _Sender(send, self._cors(headers))
        if error is not None:
            await JSONResponse(error.body, error.status)(scope, receive, sender)
            return
        if scope["method"] == "OPTIONS" and headers.get("origin") in self.origins:
            await Response(status_code=204)(scope, receive, sender)
            return
        limit = MOST_UPLOADED if scope["path"] == UPLOADS else MOST_BYTES
        body = _Body(receive, limit, headers)
        if body.too_large:
            too_large = ApiError(413, f"the body is larger than {limit:,} bytes")
            await JSONResponse(too_large.body, 413)(scope, receive, sender)
            return
        await self.application(scope, body, sender)

    def _cors(self, headers: Headers) -> dict[str, str]:
        origin = headers.get("origin")
        if origin is None or origin not in self.origins:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Allow-Methods": "GET, POST",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }

    def _error(self, scope: Scope, headers: Headers) -> ApiError | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return ApiError(421, "the Host header does not name this server: open the address that it printed")
        friend = headers.get("origin") in self.origins
        if not friend and _is_foreign(headers, hosts[0]) and scope["path"] != "/":
            return ApiError(403, "the request comes from another web site: start the server with --allow-origin URL")
        asks = friend and scope["method"] == "OPTIONS"  # browsers ask without the token
        if self.token is not None and not asks and not self._is_open(scope["path"]):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.token.encode())
            if scheme.lower() != "bearer" or not same:
                return ApiError(401, "the token is missing or wrong: send the header Authorization: Bearer TOKEN")
        return None

    def _is_open(self, path: str) -> bool:
        return path in OPEN_PATHS or path.startswith("/page/")

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if is_loopback(name) or name == self.host.strip("[]").lower():
            return True
        # A server on all addresses has many names. There the token protects it.
        return self.token is not None and self.host in ("0.0.0.0", "::", "")


def _is_foreign(headers: Headers, host: str) -> bool:
    """Return whether a browser says that a request comes from a page of another site."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return True
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


class _Sender:
    """Adds headers to a reply."""

    def __init__(self, send: Send, more: dict[str, str]) -> None:
        self._send, self._headers = send, _HEADERS | more

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers[name] = value
        await self._send(message)


class _Body:
    """Receives the body of a request, up to a limit."""

    def __init__(self, receive: Receive, limit: int, headers: Headers) -> None:
        self._receive, self._left = receive, limit
        length = headers.get("content-length", "0")
        self.too_large = not length.isdecimal() or int(length[:20]) > limit

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise ApiError(413, "the body is too large")
        return message
