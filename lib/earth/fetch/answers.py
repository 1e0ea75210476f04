"""What a server's answer means: fetched, worth another try, or one clear sentence (layer 1).

hapiclient, obspy and pooch each report trouble in their own way, often only in the text of an exception. Here
it becomes one of few cases: time-out, half a file, no connection and HTTP 408, 429 and 5xx are tried again,
others are not. Nothing here opens a connection: that is `lib.earth.fetch`.
"""

import errno
import re
from collections.abc import Callable
from pathlib import Path

from lib.files import InputError

ATTEMPTS = 4
FIRST_PAUSE_S = 1.0        # then 2, 4 ... seconds
AGAIN = {408, 429}         # and every 5xx
_STATUS = re.compile(r"HTTP status \(([1-5]\d\d)\)|HTTP code: ([1-5]\d\d)")
_HALF = re.compile(r"IncompleteRead|InvalidChunkLength|ChunkedEncodingError|retrieving data from datacenter")
_SLOW = re.compile(r"[Tt]imed? ?out")
_LOST = re.compile(r"Connect\w*Error|ConnectionError|MaxRetryError|ProtocolError|URLError|RemoteDisconnected"
                   r"|Failed to connect|FDSNNoServiceException|Unknown Error")
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}
_HTML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)", re.IGNORECASE)


def patiently(call: Callable, address: str, hint: str, sleep: Callable[[float], None],
              attempts: int = ATTEMPTS):
    """Return what `call` returns; try again, after longer and longer pauses, while that may help.

    Parameters
    ----------
    call : callable
        One request. An InputError of its own is final.
    address, hint : str
        Named in the error: where it was asked, and what would have been accepted.
    sleep : callable
        Waits for a number of seconds: 1, 2, 4 ...

    Raises
    ------
    InputError
        If the last attempt failed, or one failed in a way that repetition does not mend.
    """
    for attempt in range(1, attempts + 1):
        try:
            return call()
        except InputError:
            raise
        except Exception as error:
            problem, again = explain(error, address, hint, attempt)
            if not again or attempt == attempts:
                raise problem from error
        sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
    raise InputError(address, "attempts", attempts, "at least one")


def explain(error: Exception, address: str, hint: str, attempt: int = 1) -> tuple[InputError, bool]:
    """Return one clear sentence about a failed request, and whether to try again.

    >>> problem, again = explain(TimeoutError("timed out"), "http://127.0.0.1/hapi", "a station", 4)
    >>> print(problem, again)
    http://127.0.0.1/hapi, waiting for an answer: found 'time-out, attempt 4'; accepted: an answer in time: \
run the command again later, or with a larger --timeout True
    """
    links = _chain(error)
    if any(isinstance(link, OSError) and link.errno in _DISK for link in links):
        return InputError("temporary folder", "writing", str(error), "a disk with space left"), False
    text = " ".join(f"{type(link).__name__} {link}" for link in links)
    status = _status(links, text)
    if status is not None:
        again = status in AGAIN or status >= 500
        said = re.search(r"error message: (.*)", text)
        value = f"HTTP {status}, attempt {attempt}" + (f": {said[1].strip()}" if said else "")
        accepted = "a server in order: run the same command again later" if again else hint
        if status in (401, 403):
            accepted = "an open archive (--server): credentials are not handled here"
        return InputError(address, "answer", value, accepted), again
    if _HALF.search(text):
        return InputError(address, "body", f"a file cut short, attempt {attempt}",
                          "a whole file; nothing of it was kept: run the same command again"), True
    if _SLOW.search(text):
        return InputError(address, "waiting for an answer", f"time-out, attempt {attempt}",
                          "an answer in time: run the command again later, or with a larger --timeout"), True
    if _LOST.search(text):
        return InputError(address, "connecting", f"no connection, attempt {attempt}",
                          "a server that can be reached: check the network, or name another (--server)"), True
    return InputError(address, "answer", f"{type(error).__name__}: {error}", hint), False


def _chain(error: BaseException | None) -> list[BaseException]:
    """List an exception and those behind it: causes, contexts, reasons."""
    found, waiting = [], [error]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and link not in found:
            found.append(link)
            waiting += [link.__cause__, link.__context__, getattr(link, "reason", None)]
    return found


def _status(links, text: str) -> int | None:
    """Return the HTTP status that an exception carries or mentions."""
    for link in links:
        for holder in (link, getattr(link, "response", None)):
            code = getattr(holder, "status_code", None)
            if isinstance(code, int):
                return code
    found = _STATUS.search(text)
    return int(found[1] or found[2]) if found else None


def refuse_html(path: Path, address: str) -> None:
    """Raise InputError if a file holds a web page, such as one that asks for a login, instead of data."""
    with open(path, "rb") as stream:
        start = stream.read(512)
    if _HTML.match(start):
        raise InputError(address, "contents", start[:40].decode("latin-1"),
                         "data: this is a web page, perhaps a login; credentials are not handled "
                         "here, name an open archive with --server")
