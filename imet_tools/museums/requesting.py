"""Requests to a museum: one at a time, at its pace, and to its own hosts alone."""

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
from imet_utils.files import load_json, save_json

HOSTS = ("collectionapi.metmuseum.org", "images.metmuseum.org", "www.metmuseum.org")
AGENT = f"imet_utils/{__version__} (collects images for research, one request at a time)"
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces of an answer
LONGEST_ANSWER = 120.0  # seconds
MAX_BYTES = 32 * 2**20  # of an answer
FASTEST = 1 / 80  # seconds between two requests: the museum's rule
REFUSED_WAIT = 30.0  # seconds, where a refusal does not say how long
LONGEST_WAIT = 900.0  # seconds; a run that is to wait for longer ends
ATTEMPTS = 3  # at one address
IN_A_ROW = 9  # failures until the run ends

ELSEWHERE = (
    exceptions.InvalidSchema,  # also of a host without an adapter, see `Client`
    exceptions.MissingSchema,
    exceptions.InvalidURL,
    exceptions.TooManyRedirects,
)

Parsed = TypeVar("Parsed")
log = logging.getLogger(__name__)


class Unavailable(OSError):
    """The museum refuses or cannot be reached for long."""


class Failed(Exception):
    """One address gave nothing usable this time."""


class Refused(Exception):
    """The museum wants fewer requests, and may say for how many seconds it wants none."""

    def __init__(self, cause: str, seconds: float | None) -> None:
        super().__init__(cause)
        self.seconds = seconds


class PacedAdapter(HTTPAdapter):
    """Sends when it is time to, each hop of a redirect, too; its own retries would keep no pace."""

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__()
        self.wait = wait

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Wait, and send one request."""
        self.wait()
        return super().send(*args, **kwargs)


class Client:
    """Asks for one thing after the other.

    After a refusal (403, 429, 503, or a page where data should be) it waits for as long as the
    museum says, or else twice as long each time; then it goes on at a slower pace, and comes back
    to its own with the answers.

    Attributes:
        requests: how many were sent.
        failures: how many of them were refused, cut, wrong or without an answer.
    """

    def __init__(self, api: str, seconds: float, memory: Path) -> None:
        """Make a client.

        Args:
            api: address of the museum's API; its host may be asked, and the museum's others.
            seconds: between two requests.
            memory: file that keeps for the next start what the last refusal asked for.

        Raises:
            ValueError: if `seconds` is less than the museum allows.
        """
        if not seconds >= FASTEST:
            raise ValueError(f"the museum allows 80 requests a second: {seconds} s is too short")
        self.seconds, self.memory = seconds, memory
        self.requests = self.failures = self.in_a_row = 0
        until, interval = recall(memory) or (0.0, 0.0)
        self.interval = max(seconds, interval)
        self.next_time = time.monotonic() + max(0.0, until - time.time())
        self.session = requests.Session()
        self.session.headers["User-Agent"] = AGENT
        self.session.max_redirects = 3
        self.session.adapters.clear()  # so that nothing else can be reached, by redirects neither
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(api))
        for prefix in (origin, *(f"https://{host}/" for host in HOSTS)):
            self.session.mount(prefix, PacedAdapter(self._wait))

    def get(self, url: str, parse: Callable[[bytes], Parsed]) -> Parsed | None:
        """Fetch what is at an address, None where there is nothing (404 or 410).

        Args:
            url: of it.
            parse: turns the bytes into what is wanted; raises ValueError if they are not that.

        Raises:
            Failed: if no attempt gave it, or it lies at a host that is not the museum's.
            Unavailable: if nothing has succeeded for long.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                content = self._read(url)
                parsed = None if content is None else parse(content)
            except (Refused, exceptions.RequestException, ValueError) as error:
                cause = f"{url}: {_explain(error)}"
                self._slow_down(cause, error)
                if attempt == ATTEMPTS or isinstance(error, ELSEWHERE):
                    raise Failed(cause) from None
            else:
                self.in_a_row = 0
                self.interval = max(self.seconds, 0.98 * self.interval)
                break
        return parsed

    def _read(self, url: str) -> bytes | None:
        """Send one request and read the answer, None where there is nothing."""
        with self.session.get(url, timeout=TIMEOUT, stream=True) as answer:
            if answer.status_code in (404, 410):
                return None
            is_page = answer.headers.get("Content-Type", "").startswith("text/html")
            if answer.status_code in (403, 429, 503) or (answer.ok and is_page):
                raise Refused(f"refused with status {answer.status_code}", _retry_after(answer))
            answer.raise_for_status()
            content = bytearray()
            end = time.monotonic() + LONGEST_ANSWER
            for piece in answer.iter_content(2**16):
                content += piece
                if len(content) > MAX_BYTES or time.monotonic() > end:
                    raise ValueError(f"over {MAX_BYTES:,} bytes or {LONGEST_ANSWER} s")
            return bytes(content)

    def _wait(self) -> None:
        """Sleep until the next request may be sent."""
        pause = self.next_time - time.monotonic()
        if pause > LONGEST_WAIT:
            until = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + pause))
            raise Unavailable(f"the museum asks to wait until {until}")
        time.sleep(max(0.0, pause))
        self.requests += 1
        self.next_time = time.monotonic() + self.interval

    def _slow_down(self, cause: str, error: Exception) -> None:
        """Put off the next request; end the run where too many have failed in a row."""
        self.failures += 1
        self.in_a_row += 1
        if self.in_a_row == IN_A_ROW:
            raise Unavailable(f"{IN_A_ROW} requests in a row failed, the last one: {cause}")
        refused = isinstance(error, Refused)
        asked = error.seconds if refused else None
        first = REFUSED_WAIT if refused and asked is None else self.seconds
        wait = max(asked or 0.0, min(first * 2 ** (self.in_a_row - 1), LONGEST_WAIT))
        self.next_time = max(self.next_time, time.monotonic() + wait)
        if refused:
            self.interval *= 1.5
            save_json([time.time() + wait, self.interval], self.memory)
        log.warning("%s; next in %.0f s, pace %.1f s", cause, wait, self.interval)


def _explain(error: Exception) -> str:
    """Say in short why a request failed."""
    if isinstance(error, exceptions.ConnectionError | exceptions.Timeout):
        return f"no connection ({type(error).__name__})"
    return str(error)


def _retry_after(answer: requests.Response) -> float | None:
    """Read how many seconds a refusal asks for, in either form of the header, at most a month."""
    try:
        seconds = Retry().get_retry_after(answer.raw)
    except InvalidHeader:
        return None
    return None if seconds is None else min(seconds, 30 * 86_400.0)


def recall(path: Path) -> Any:  # noqa: ANN401
    """Read what is remembered in a JSON file, None where nothing is."""
    try:
        return load_json(path)
    except (FileNotFoundError, ValueError):
        return None
