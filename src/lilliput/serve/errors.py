"""Errors in the form of OpenAI's API: a status, and a JSON object with a message."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from lilliput.errors import LilliputError
from lilliput.serve.worker import BusyError

RETRY_AFTER = 1
"""Seconds after which a client that found the queue full should repeat its request."""
_LONGEST_MESSAGE = 500


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """The body of a reply with an error status."""

    error: ErrorDetail


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorReply} for status in (400, 401, 403, 404, 413, 421, 503)
}
"""For the OpenAPI schema of a route."""


class ApiError(HTTPException):
    """A request that cannot be answered, with the HTTP status and the fields of OpenAI's error object."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(status, message, {"Retry-After": str(RETRY_AFTER)} if status == 503 else None)
        self.status, self.message, self.param, self.code = status, message, param, code

    @property
    def body(self) -> dict[str, Any]:
        """Return the JSON object of the reply."""
        return error_body(self.status, self.message, self.param, self.code)


def error_body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return OpenAI's error object."""
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 503: "server_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    # A message may quote the request, which may hold half of a surrogate pair.
    message = message.encode("utf-8", "replace").decode()[:_LONGEST_MESSAGE]
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def busy(reason: str = "the server is busy") -> ApiError:
    """Return the error of a server that takes no other request now."""
    return ApiError(503, f"{reason}: repeat the request later", code="overloaded")


def add_handlers(application: FastAPI) -> None:
    """Turn every error into a reply of that form."""

    @application.exception_handler(ApiError)
    async def _api_error(request: Request, error: ApiError) -> JSONResponse:
        return _reply(error)

    @application.exception_handler(LilliputError)
    async def _refused(request: Request, error: LilliputError) -> JSONResponse:
        return _reply(ApiError(400, str(error)))

    @application.exception_handler(BusyError)
    async def _busy(request: Request, error: BusyError) -> JSONResponse:
        return _reply(busy())

    @application.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _reply(explained(error.errors()))

    @application.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        message = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not allowed here"}
        return _reply(ApiError(error.status_code, message.get(error.status_code, str(error.detail))))


def explained(errors: Sequence[Any]) -> ApiError:
    """Return the error for the first of the errors that pydantic found in a request."""
    first = errors[0]
    # After the name, a path has positions in lists and the alternatives of a union.
    path = [str(part) for part in first["loc"][1:] if isinstance(part, str)]
    if first["type"] == "json_invalid":
        return ApiError(400, "the body is not valid JSON")
    if not path and "ctx" not in first:
        return ApiError(400, "the body should be a JSON object")
    name = path[0] if path else None
    message = _EXPECTED.get(name or "") or str(first.get("ctx", {}).get("error") or first["msg"])
    return ApiError(400, f"{name}: {message}" if name else message, param=name)


_EXPECTED = {
    "prompt": "should be a text, texts, token ids, or a list of lists of token ids, none of them empty",
    "stop": "should be a text or up to 16 texts, none of them empty",
}
"""Messages for values of several types, of which pydantic lists only the first."""


def _reply(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, error.status, error.headers)
