"""Download a file over HTTP, and resume after a broken connection.

The bytes received are in a `.part` file beside the target; the next attempt, in this call or a later one, requests the
rest with a Range request (RFC 9110, section 14). Left out: parallel ranges and entity tags; the caller compares
checksums.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from lilliput.cache import make_folder, unwritable
from lilliput.corpus.document import ReadProgress
from lilliput.errors import CorpusError
from lilliput.files import settle

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 5
READ_SECONDS = 30
_ATTEMPTS = 4
_CHUNK = 1 << 14  # bytes lost if the connection breaks
_OK, _PARTIAL, _OUT_OF_RANGE = 200, 206, 416


class NotFetched(CorpusError):
    """A source failed; the message is the reason in a few words. Another source may work."""


def shown(address: str) -> str:
    """Return an address for messages, without user name and password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def download(
    address: str, target: Path, progress: ReadProgress | None = None, session: "requests.Session | None" = None
) -> None:
    """Download an address to the file `target`, resuming an earlier attempt.

    Raises NotFetched with the reason, or CorpusError if the cache is not writable.
    """
    import requests

    make_folder(target.parent)
    part = target.with_name(target.name + ".part")
    with session or requests.Session() as client:
        for attempt in range(1, _ATTEMPTS + 1):
            before = _size(part)
            try:
                if _fetch_rest(client, address, part, progress):
                    settle(part, target)
                    return
            except requests.RequestException as error:
                # Without a single new byte, there is no network or no such server: do not retry.
                if attempt == _ATTEMPTS or _size(part) <= before:
                    raise NotFetched(_reason(error)) from error
            except OSError as error:
                raise unwritable(error) from error
    raise NotFetched("the connection broke too often")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _fetch_rest(client: "requests.Session", address: str, part: Path, progress: ReadProgress | None) -> bool:
    """Append the missing bytes to the part file; return whether it is complete."""
    done = _size(part)
    # Offsets count bytes as sent, so the server must not compress them.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with client.get(address, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
        if answer.status_code == _OUT_OF_RANGE and done:
            if _total(answer.headers) == done:
                return True
            part.unlink()  # longer than the file on the server: left by another version
            return False
        if answer.status_code not in (_OK, _PARTIAL):
            raise NotFetched(f"the server answered {answer.status_code} {answer.reason}")
        continues = answer.status_code == _PARTIAL and _first(answer.headers) == done
        if answer.status_code == _PARTIAL and not continues:
            part.unlink(missing_ok=True)
            return False
        done = done if continues else 0
        total = _total(answer.headers)
        with part.open("ab" if continues else "wb") as stream:
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
    return total is None or done >= total


def _first(headers: Mapping[str, str]) -> int | None:
    digits = headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(digits) if digits.isdigit() else None


def _total(headers: Mapping[str, str]) -> int | None:
    if "Content-Range" in headers:
        digits = headers["Content-Range"].rpartition("/")[2]
    elif "Content-Encoding" in headers:
        return None
    else:
        digits = headers.get("Content-Length", "")
    return int(digits) if digits.isdigit() else None


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted (set REQUESTS_CA_BUNDLE)"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
