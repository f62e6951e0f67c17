"""Requests to a museum: one at a time, at its pace, and only to its own hosts."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

from imet_utils import __version__
from imet_utils.files import save_json, try_json

HOSTS = ("collectionapi.metmuseum.org", "images.metmuseum.org", "www.metmuseum.org")
AGENT = f"imet_utils/{__version__} (collects images for research, one request at a time)"
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces of an answer
MAX_SECONDS, MAX_BYTES = 120.0, 32 * 2**20  # of an answer
FASTEST = 1 / 80  # seconds between two requests: the museum's limit
REFUSED_WAIT = 30.0  # seconds, unless the refusal gives a time
LONGEST_WAIT = 900.0  # seconds; a run that would have to wait longer ends
MONTH = 30 * 86_400.0  # seconds; no refusal is taken for longer
ATTEMPTS = 3  # at one address
IN_A_ROW = 9  # failures that end the run
ELSEWHERE = (exceptions.InvalidSchema, exceptions.MissingSchema, exceptions.InvalidURL)  # no retry

Parsed = TypeVar("Parsed")
log = logging.getLogger(__name__)


class Unavailable(OSError):
    """The museum refuses all requests or cannot be reached."""


class Failed(Exception):
    """All attempts at one address failed."""


class Refused(Exception):
    """The museum asks for fewer requests, and may set a wait in seconds."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"refused with status {answer.status_code}")
        try:
            self.seconds = Retry().get_retry_after(answer.raw)
        except InvalidHeader:
            self.seconds = None


class PacedAdapter(HTTPAdapter):
    """Sends each request, each hop of a redirect too, when it is due."""

    def __init__(self, interval: float, delay: float) -> None:
        super().__init__()
        self.interval, self.due, self.requests = interval, time.monotonic() + delay, 0

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Wait, count, and send one request."""
        pause = self.due - time.monotonic()
        if pause > LONGEST_WAIT:
            until = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + pause))
            raise Unavailable(f"the museum asks to wait until {until}")
        time.sleep(max(0.0, pause))
        self.requests += 1
        self.due = time.monotonic() + self.interval
        return super().send(*args, **kwargs)


class Client:
    """Fetches one address after the other.

    After a refusal (status 403, 429, 503, or a web page in place of data) it waits as long as
    Retry-After says, else twice as long each time, and goes on at a slower pace, which recovers
    with each success. urllib3's `Retry` would take cut and wrong answers for good ones, and
    requests-cache would store them.
    """

    def __init__(self, api: str, seconds: float, cache: Path) -> None:
        """Allow the hosts of the API and the museum, so many seconds between two requests.

        In `cache` are answers, and the last refusal's wait and pace.
        """
        if not seconds >= FASTEST:
            raise ValueError(f"the museum allows 80 requests a second: {seconds} s is too short")
        self.api, self.seconds, self.cache = api, seconds, cache
        self.failures = 0  # requests that were refused, cut, wrong or unanswered
        self.in_a_row = 0  # of these, since the last success
        self.failed = 0  # addresses that were given up
        until, interval = try_json(cache / "pace.json") or (0.0, 0.0)
        self.pace = PacedAdapter(max(seconds, interval), max(0.0, until - time.time()))
        self.session = requests.Session()
        self.session.headers["User-Agent"] = AGENT
        self.session.max_redirects = 3
        self.session.adapters.clear()  # other hosts cannot be reached, by redirects neither
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(api))
        for prefix in (origin, *(f"https://{host}/" for host in HOSTS)):
            self.session.mount(prefix, self.pace)

    def get(self, url: str, parse: Callable[[bytes], Parsed]) -> Parsed | None:
        """Fetch an address and parse its bytes; None if nothing is there (404 or 410).

        Failed if no attempt gave bytes that `parse` takes, or the host is not the museum's;
        Unavailable if too many requests in a row failed.
        """
        for _ in range(ATTEMPTS):
            try:
                content = self._read(url)
                parsed = None if content is None else parse(content)
            except (Refused, exceptions.RequestException, ValueError) as error:
                cause = f"{url}: {error}"
                if isinstance(error, ELSEWHERE):
                    break
                if isinstance(error, exceptions.ConnectionError | exceptions.Timeout):
                    cause = f"{url}: no connection ({type(error).__name__})"
                self._slow_down(cause, error)
            else:
                self.in_a_row = 0
                self.pace.interval = max(self.seconds, 0.98 * self.pace.interval)
                return parsed
        self.failed += 1
        raise Failed(cause)

    def get_cached(self, path: str, parse: Callable[[bytes], Any], name: str) -> Any:  # noqa: ANN401
        """Like `get` of the API, but once for all runs: a file keeps the result, {} for nothing."""
        result = try_json(self.cache / name)
        if result is None:
            result = self.get(self.api + path, parse) or {}
            save_json(result, self.cache / name)
        return result

    def _read(self, url: str) -> bytes | None:
        """Send one request and read the answer; None if nothing is there."""
        with self.session.get(url, timeout=TIMEOUT, stream=True) as answer:
            if answer.status_code in (404, 410):
                return None
            is_page = answer.headers.get("Content-Type", "").startswith("text/html")
            if answer.status_code in (403, 429, 503) or (answer.ok and is_page):
                raise Refused(answer)
            answer.raise_for_status()
            content, end = bytearray(), time.monotonic() + MAX_SECONDS
            for piece in answer.iter_content(2**16):
                content += piece
                if len(content) > MAX_BYTES or time.monotonic() > end:
                    raise ValueError(f"over {MAX_BYTES:,} bytes or {MAX_SECONDS} s")
            return bytes(content)

    def _slow_down(self, cause: str, error: Exception) -> None:
        """Delay the next request; end the run if too many in a row have failed."""
        self.failures += 1
        self.in_a_row += 1
        if self.in_a_row == IN_A_ROW:
            raise Unavailable(f"{IN_A_ROW} requests in a row failed, the last one: {cause}")
        asked = error.seconds if isinstance(error, Refused) else None
        first = REFUSED_WAIT if isinstance(error, Refused) and asked is None else self.seconds
        wait = max(min(asked or 0.0, MONTH), min(first * 2 ** (self.in_a_row - 1), LONGEST_WAIT))
        self.pace.due = max(self.pace.due, time.monotonic() + wait)
        if isinstance(error, Refused):
            self.pace.interval *= 1.5
            save_json([time.time() + wait, self.pace.interval], self.cache / "pace.json")
        log.warning("%s; next in %.0f s, pace %.1f s", cause, wait, self.pace.interval)
