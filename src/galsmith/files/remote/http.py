"""Files of web servers, read by ranges with the standard library alone; a folder is what its index page links to."""

import email.utils
import http.client
import netrc
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from galsmith.files.remote.system import (
    RemoteStat,
    TransientError,
    WholeAnswerError,
    again,
    not_allowed,
    not_found,
    number_of,
    unreachable,
)

TIMEOUT_SECONDS = 60
LARGEST_INDEX = 64 * 2**20  # bytes of a page of links: some 500,000 files
PARTIAL_CONTENT, TOO_MANY, NOT_IMPLEMENTED = 206, 429, 501
MISSING, REFUSED, NO_HEAD = (404, 410), (401, 403, 407), (400, 403, 405, NOT_IMPLEMENTED)
TRANSIENT = (408, 425, TOO_MANY, 500, 502, 503, 504)
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class HttpSystem:
    """Reading from ``http://`` and ``https://``."""

    def stat(self, address: str) -> RemoteStat:
        """Ask for the head of a file; where a server gives none, for its first byte."""
        return again(address, lambda: self._stat(address))

    def read(self, address: str, start: int, stop: int) -> tuple[bytes, str]:
        """Read a range.

        Raises
        ------
        WholeAnswerError
            If the server knows no ranges.
        """
        return again(address, lambda: self._read(address, start, stop))

    def download(self, address: str, place: Path) -> None:
        """Read a whole file; what ends early is read again from its start."""
        again(address, lambda: self._download(address, place))

    def entries(self, address: str) -> dict[str, RemoteStat]:
        """Read the links of a folder's index page; sizes are not told there."""
        folder = address.rstrip("/") + "/"
        page, kind = again(address, lambda: self._page(folder))
        if not kind.startswith("text/html"):
            raise unreachable(
                address, f"no index page but {kind or 'something else'}, so its files cannot be listed"
            )
        links = _Links()
        links.feed(page.decode("utf-8", errors="replace"))
        return dict(_entries_of(links.found, folder))

    def upload(self, place: Path, address: str) -> None:
        """Refuse: nothing is written to web servers."""
        raise not_allowed(address, "nothing is written to web servers")

    def remove(self, address: str) -> None:
        """Refuse, as `upload` does."""
        raise not_allowed(address, "nothing is written to web servers")

    def _stat(self, address: str) -> RemoteStat:
        """Ask once."""
        try:
            with _answer(address, "HEAD") as answer:
                return _stat_of(answer.headers, answer.headers.get("Content-Length"))
        except _StatusError as error:
            if error.status not in NO_HEAD:
                raise error.plain() from error
        try:
            with _answer(address, "GET", {"Range": "bytes=0-0"}) as answer:
                found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                return _stat_of(
                    answer.headers, answer.headers.get("Content-Length") if found is None else found[3]
                )
        except _StatusError as error:
            raise error.plain() from error

    def _read(self, address: str, start: int, stop: int) -> tuple[bytes, str]:
        """Ask for a range once."""
        if stop <= start:
            return b"", ""
        try:
            with _answer(address, "GET", {"Range": f"bytes={start}-{stop - 1}"}) as answer:
                if answer.status != PARTIAL_CONTENT:
                    raise WholeAnswerError(address)
                found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if found is None or (int(found[1]), int(found[2])) != (start, stop - 1):
                    raise unreachable(address, "another range than was asked for")
                content = answer.read(stop - start)
                if len(content) < stop - start:
                    raise TransientError("the answer ended early")
                return content, _tag_of(answer.headers)
        except _StatusError as error:
            raise error.plain() from error

    def _download(self, address: str, place: Path) -> None:
        """Read a file once."""
        try:
            with _answer(address, "GET") as answer, place.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
                said = answer.headers.get("Content-Length")
                if said is not None and stream.tell() != int(said):
                    raise TransientError("the answer ended early")
        except _StatusError as error:
            raise error.plain() from error

    def _page(self, folder: str) -> tuple[bytes, str]:
        """Read a page once."""
        try:
            with _answer(folder, "GET") as answer:
                page = answer.read(LARGEST_INDEX + 1)
                if len(page) > LARGEST_INDEX:
                    raise unreachable(folder, "its index page is larger than can be believed")
                return page, answer.headers.get("Content-Type", "")
        except _StatusError as error:
            raise error.plain() from error


class _StatusError(Exception):
    """An answer that is none."""

    def __init__(self, address: str, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.address, self.status = address, status

    def plain(self) -> OSError:
        """Give the exception of the file system."""
        if self.status in MISSING:
            return not_found(self.address)
        if self.status in REFUSED:
            return not_allowed(self.address, str(self))
        return TransientError(str(self)) if self.status in TRANSIENT else unreachable(self.address, self)


@contextmanager
def _answer(address: str, method: str, headers: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Ask a server."""
    parts = urllib.parse.urlsplit(address)
    quoted = urllib.parse.quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    place = urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], quoted, parts.query, ""))
    asked = {"Accept-Encoding": "identity", "User-Agent": "galsmith", **(headers or {}), **_login(parts)}
    request = urllib.request.Request(place, headers=asked, method=method)
    try:
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        with error:
            raise _StatusError(address, error.code, error.reason) from error
    except urllib.error.URLError as error:
        raise TransientError(str(error.reason)) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise TransientError(str(error) or type(error).__name__) from error


@lru_cache(maxsize=1)
def _opener() -> urllib.request.OpenerDirector:
    """Give what asks servers: of http and https alone, wherever they lead."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        *(urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler),
        *(urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor, _WithinHttp),
    ):
        opener.add_handler(handler())
    return opener


class _WithinHttp(urllib.request.HTTPRedirectHandler):
    """Follows where a server leads, but to no other scheme."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        """Give the next request; a login stays with the host that it is for."""
        request, target = arguments[0], urllib.parse.urlsplit(arguments[5])
        if target.scheme not in ("http", "https"):
            raise urllib.error.URLError(f"it leads to {target.scheme}://, which is not followed")
        followed = super().redirect_request(*arguments)
        if followed is not None and target.netloc != urllib.parse.urlsplit(request.full_url).netloc:
            followed.remove_header("Authorization")
        return followed


def _login(parts: urllib.parse.SplitResult) -> dict[str, str]:
    """Give the header of a login that an address or ``~/.netrc`` has."""
    user, password = parts.username, parts.password
    if user is None:
        try:
            found = netrc.netrc().authenticators(parts.hostname or "")
        except (OSError, netrc.NetrcParseError):
            found = None
        if found is None:
            return {}
        user, _, password = found
    words = f"{urllib.parse.unquote(user)}:{urllib.parse.unquote(password or '')}"
    return {"Authorization": f"Basic {b64encode(words.encode()).decode()}"}


def _stat_of(headers: Mapping[str, str], length: str | None) -> RemoteStat:
    """Say what headers tell of a file."""
    if length is None or not length.isdigit():
        raise OSError("the server does not say how large it is; download it")
    tag, said = _tag_of(headers), headers.get("Last-Modified", "")
    try:
        time_ns = int(email.utils.parsedate_to_datetime(said).timestamp()) * 10**9
    except ValueError:
        time_ns = number_of(tag)
    return RemoteStat(int(length), time_ns, tag)


def _tag_of(headers: Mapping[str, str]) -> str:
    """By what a version is known."""
    return headers.get("ETag") or headers.get("Last-Modified") or ""


class _Links(HTMLParser):
    """Collects where a page leads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _entries_of(links: list[str], folder: str) -> Iterator[tuple[str, RemoteStat]]:
    """Keep the links to what lies right in a folder."""
    for link in links:
        target = urllib.parse.urljoin(folder, link)
        parts = urllib.parse.urlsplit(target)
        rest = target.removeprefix(folder) if target.startswith(folder) and not parts.query else ""
        name = urllib.parse.unquote(rest.partition("#")[0])
        bare = name.removesuffix("/")
        if bare and "/" not in bare and bare not in (".", ".."):
            yield bare, RemoteStat(0, is_folder=name.endswith("/"))
