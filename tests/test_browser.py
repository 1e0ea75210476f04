"""The built site in a browser: fits the screen, draws its figures and formulas, asks nobody, is accessible.

Every page of `_build/html` is opened at a desktop's width, light and dark, and at a phone's. Chromium is all
this needs: it is spoken to through a pipe, in its own protocol. The accessibility rules are checked too if
AXE_CORE names a copy of axe.min.js (package axe-core). Nothing is downloaded.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from book import keys

SITE = keys.ROOT / "_build" / "html"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = os.environ.get("AXE_CORE", "")
MODES = {"light": (1440, "light"), "dark": (1440, "dark"), "phone": (390, "light")}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH")]

MEASURE = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  for (const i of document.images) { i.loading = 'eager'; await i.decode().catch(() => 0); }
  await new Promise(done => setTimeout(done, 300));       // until the theme's colours have settled
  const ratio = i => { const s = getComputedStyle(i), pad = k => parseFloat(s['padding' + k]);
    return (i.clientWidth - pad('Left') - pad('Right')) / (i.clientHeight - pad('Top') - pad('Bottom')); };
  const drawn = [...document.images].filter(i => i.naturalWidth && i.clientWidth && !i.src.endsWith('.svg'));
  const found = { overflow: Math.max(document.documentElement.scrollWidth - innerWidth, 0),
    formulas: document.querySelectorAll('mjx-container').length,
    merror: document.querySelectorAll('mjx-merror, [data-mml-node=merror]').length,
    missing: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
    distorted: drawn.filter(i => Math.abs(ratio(i) * i.naturalHeight / i.naturalWidth - 1) > 0.02)
      .map(i => i.src) };
  if (window.axe) {
    const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
    found.violations = (await axe.run(document, { runOnly: rules, preload: false })).violations.map(
      v => v.id + ': ' + v.nodes.map(n => n.target).join(', '));
  }
  return found;
})()"""


class Browser:
    """A Chromium at the other end of a pipe: `call` a method of its protocol, collect its `events`."""

    def __init__(self, profile: Path):
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        command = f'exec "$@" 3<&{to_child} 4>&{from_child}'      # the protocol's two descriptors
        words = ["bash", "-c", command, "-", CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(words, pass_fds=(to_child, from_child), stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.events, self._rest, self._n, self._session = [], b"", 0, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def _message(self):
        while b"\0" not in self._rest:
            piece = os.read(self._read, 1 << 20)
            assert piece, "Chromium ended"
            self._rest += piece
        text, self._rest = self._rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        """Call a method and return its result."""
        self._n += 1
        order = {"id": self._n, "method": method, "params": params, **self._session}
        os.write(self._write, json.dumps(order).encode() + b"\0")
        while (message := self._message()).get("id") != self._n:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def open(self, url):
        """Load a page and return the events until it was loaded."""
        self.events = []
        self.call("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._message())

    def evaluate(self, script):
        """Run a script in the page and return its value."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def close(self):
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)


def look(folder, pages, axe=""):
    """Measure every page in every mode."""
    browser, rows = Browser(folder / "profile"), []
    try:
        for page in pages:
            for mode, (width, scheme) in MODES.items():
                browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                             deviceScaleFactor=1, mobile=False)
                browser.call("Emulation.setEmulatedMedia",
                             features=[{"name": "prefers-color-scheme", "value": scheme}])
                browser.open(page.resolve().as_uri())
                if axe:
                    browser.evaluate(axe + "; 0")
                found = browser.evaluate(MEASURE)
                rows.append({"page": page.name, "mode": mode} | found | _heard(browser.events))
    finally:
        browser.close()
    return rows


def _heard(events):
    """Return the requests that left the machine and the errors that stopped a script."""
    told = [(e.get("method"), e.get("params", {})) for e in events]
    urls = [p["request"]["url"] for m, p in told if m == "Network.requestWillBeSent"]
    return {"remote": [u for u in urls if not u.startswith(("file:", "data:", "blob:"))],
            "errors": [p["exceptionDetails"]["text"] for m, p in told if m == "Runtime.exceptionThrown"]}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Return the measurements of every page of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.skip("the site is not built: make book")
    pages = [p for p in sorted(SITE.rglob("*.html")) if "_static" not in p.parts]
    axe = Path(AXE).read_text(encoding="utf-8") if AXE else ""
    rows = look(tmp_path_factory.mktemp("browser"), pages, axe)
    assert len(rows) == len(MODES) * len(pages) > 40
    return rows


@pytest.mark.parametrize("defect", ["overflow", "missing", "distorted", "merror", "remote", "errors"])
def test_no_page_has_a_defect(seen, defect):
    """It fits the screen, images are whole, formulas parse, no request leaves, no script stops."""
    assert not [(row["page"], row["mode"], row[defect]) for row in seen if row[defect]]


def test_formulas_are_drawn(seen):
    """MathJax, copied beside the pages, has made formulas of the TeX."""
    assert sum(row["formulas"] for row in seen) > 50


def test_every_page_is_accessible(seen):
    """No violation of WCAG 2.1 A and AA or of good practice, in light, in dark and on a phone."""
    if not AXE:
        pytest.skip("AXE_CORE names no copy of axe.min.js")
    assert not [(row["page"], row["mode"], row["violations"]) for row in seen if row["violations"]]


def test_the_measurements_find_what_they_look_for(tmp_path):
    """A page with every defect is reported with every defect."""
    (tmp_path / "bad.html").write_text(
        "<!doctype html><title>bad</title><div style='width: 3000px'>wide</div><img src='none.png'>"
        "<mjx-container><mjx-merror>x</mjx-merror></mjx-container><script src='https://example.org/x.js'></script>"
        "<img style='width: 90px; height: 20px' src='data:image/gif;base64,"
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'>"
        "<script>throw new Error('on purpose')</script>", encoding="utf-8")
    for row in look(tmp_path, [tmp_path / "bad.html"]):
        for defect in ("overflow", "missing", "distorted", "merror", "remote", "errors"):
            assert row[defect], (row["mode"], defect)
