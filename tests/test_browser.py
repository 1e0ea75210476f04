"""The built site in a browser: whole, accessible and quiet on every page, in light, in dark and on a phone.

`make test-browser` builds the site, fetches Playwright and axe-core into tests/browser (`npm ci`), and runs
this module alone. It drives the distribution's Chromium; no browser is downloaded. What it measured goes to
results/site.json, the screenshots to _build/screenshots.
"""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from book import keys
from lib.files import write_json

SITE = keys.ROOT / "_build" / "html"
TOOL = Path(__file__).parent / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MODES = ("light", "dark", "phone")
LACKING = [words for words, there in (
    ("Chromium on PATH (Debian: apt-get install chromium)", CHROMIUM), ("node on PATH", shutil.which("node")),
    ("its packages (npm ci --prefix tests/browser)", (TOOL / "node_modules").is_dir())) if not there]
pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(LACKING), reason="needs " + ", ".join(LACKING))]
MAX_SITE_BYTES, MAX_PAGE_BYTES = 12e6, 1.5e6         # issue 9; a page without MathJax


def look(site, folder, *pages):
    """Run the browser over a site; return what it saw."""
    out = folder / "seen.json"
    command = ["node", TOOL / "look.mjs", site, out, folder / "screenshots", CHROMIUM, *pages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(out.read_text(encoding="utf-8"))


def summary(found):
    """Return what results/site.json says."""
    def count(what, rows):
        return sum(len(row[what]) for row in rows)

    rows = [*found["seen"], *found["served"]]
    violations = Counter()
    for row in found["seen"]:
        violations[row["mode"]] += len(row["violations"])
    heaviest = max(found["served"], key=lambda row: row["bytes"])
    return {"browser": found["browser"], "axe_core": found["axe"], "pages": found["pages"],
            "bytes": found["bytes"], "bytes_without_downloads": found["readBytes"],
            "heaviest_page": heaviest["page"], "heaviest_page_bytes": heaviest["bytes"],
            "axe_violations": {mode: violations[mode] for mode in MODES},
            "remote_requests": count("remote", rows), "failed_requests": count("failed", rows),
            "console_errors": count("console", rows)}


@pytest.fixture(scope="module")
def found():
    """Return what the browser saw of the built site, and write it down."""
    if not (SITE / "index.html").is_file():
        pytest.fail("the site is not built: make test-browser builds it first")
    shutil.rmtree(keys.ROOT / "_build" / "screenshots", ignore_errors=True)
    seen = look(SITE, keys.ROOT / "_build")
    write_json(keys.ROOT / "results" / "site.json", summary(seen))
    return seen


def test_every_page_was_seen_in_every_mode(found):
    """All pages of the site, three times from disk and once served."""
    pages = {p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html")
             if p.relative_to(SITE).parts[0] not in ("_static", "_sources")}
    assert len(pages) == found["pages"] > 30
    assert {(row["page"], row["mode"]) for row in found["seen"]} == {(p, m) for p in pages for m in MODES}
    assert {row["page"] for row in found["served"]} == pages


@pytest.mark.parametrize("defect", ["overflow", "missing", "distorted", "merror"])
def test_no_page_has_a_defect(found, defect):
    """It fits the screen, images are there and keep their shape, formulas parse."""
    assert not [(row["page"], row["mode"], row[defect]) for row in found["seen"] if row[defect]]


@pytest.mark.parametrize("what", ["remote", "failed", "console"])
def test_no_page_asks_elsewhere_or_complains(found, what):
    """No request leaves or fails and the console stays silent, from disk and below a sub-path."""
    rows = [*found["seen"], *found["served"]]
    assert not [(row["page"], row["mode"], row[what]) for row in rows if row[what]]


@pytest.mark.parametrize("mode", MODES)
def test_every_page_is_accessible(found, mode):
    """No violation of WCAG 2.1 A and AA or of good practice."""
    rows = [row for row in found["seen"] if row["mode"] == mode]
    assert not [(row["page"], row["violations"][:3]) for row in rows if row["violations"]]


def test_formulas_are_drawn(found):
    """MathJax, copied beside the pages, has made formulas of the TeX."""
    assert sum(row["formulas"] for row in found["seen"]) > 50


def test_the_site_is_light(found):
    """At most 12 MB to read, downloads aside, and at most 1.5 MB a page without mathematics."""
    heavy = [(row["page"], row["bytes"]) for row in found["served"] if row["bytes"] > MAX_PAGE_BYTES]
    assert found["readBytes"] <= MAX_SITE_BYTES and not heavy, (found["readBytes"], heavy)


def test_the_search_finds(found):
    """Words of the book are found by its search page."""
    assert all(found["search"].values()), found["search"]


def test_a_number_on_the_front_page_leads_to_its_code(found):
    """One click on a card's score opens the cell of the LOEO chapter that glued it, its code in sight."""
    landed = found["follow"]
    assert landed["page"] == "03_loeo_training.html" and landed["visible"]
    assert "report.glue" in landed["code"] and "score" in landed["code"]


def test_the_switchboard_can_be_flipped(found):
    """Nine switches hide what they add until they are flipped, by keyboard too."""
    state = found["flip"]
    assert state["switches"] == 9
    assert (state["before"], state["after"], state["all"]) == (0, 2, 18)
    assert state["checked"] == "true" and "adds" in state["said"] and not state["violations"]


def test_the_measurements_find_what_they_look_for(tmp_path):
    """A page with every defect is reported with every defect."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "bad.html").write_text(
        "<!doctype html><title>bad</title><meta name='viewport' content='width=device-width,initial-scale=1'>"
        "<div style='width: calc(100vw + 120px)'>a phone would shrink the page until it fits</div>"
        "<img src='none.png'>"
        "<mjx-container><mjx-merror>x</mjx-merror></mjx-container>"
        "<script src='https://example.org/x.js'></script>"
        "<img style='width: 90px; height: 20px' src='data:image/gif;base64,"
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'>"
        "<script>throw new Error('on purpose')</script>", encoding="utf-8")
    for row in look(site, tmp_path, "bad.html")["seen"]:
        for defect in ("overflow", "missing", "distorted", "merror", "remote", "failed", "console",
                       "violations"):
            assert row[defect], (row["mode"], defect)
