"""The site: builds without a warning from executed notebooks, and every page is whole."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from book import keys
from tests.test_notebooks import TYPED_SCORE, doit

ROOT = keys.ROOT
PAGES = [ROOT / "index.md", *sorted((ROOT / "book").glob("*.md")), ROOT / "book" / "api" / "index.md"]
CODE = {"cell_input", "doctest", "sig"}      # source of a cell, an example, a signature: not prose
GLUED = re.compile(r'<a class="glued[^>]*href="[^"]*#n\d\d-[\w-]+"[^>]*><span class="pasted-text">')
BROKEN = re.compile(r"\bnan\b|Traceback|<IPython|&lt;IPython|&lt;Figure|Undefined|/home/|/tmp/")


class Page(HTMLParser):
    """What the checks need to know of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images, self.remote, self.text, self.h1 = set(), [], [], [], [], 0
        self._skip = self._input = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        """Collect ids, links, images and what a browser would fetch."""
        a = dict(attributes)
        self.ids |= {a[k] for k in ("id", "name") if a.get(k)}
        self.h1 += tag == "h1"
        self._skip += tag in ("script", "style")
        if tag in ("div", "dt") and (self._input or CODE & set(a.get("class", "").split())):
            self._input += 1
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "img":
            self.images.append((a.get("src", ""), a.get("alt")))
        fetched = a.get("src") or (a.get("href") if tag == "link" and a.get("rel") != "canonical" else None)
        if fetched:
            self.remote += [fetched] * fetched.startswith(("http:", "https:", "//"))
            self.links.append(fetched)

    def handle_endtag(self, tag):
        """Leave a script, a style or the source of a cell."""
        self._skip -= tag in ("script", "style")
        self._input -= tag in ("div", "dt") and self._input > 0

    def handle_data(self, data):
        """Collect what is read, the source of cells aside."""
        if not self._skip and not self._input:
            self.text.append(data)


def copy_sources(folder, smoke):
    """Lay out a source folder: pages and settings of the repository, notebooks of a smoke run."""
    for name in ("index.md", "_config.yml", "_toc.yml", "pyproject.toml", "CITATION.cff", "CHANGELOG.md",
                 "codemeta.json", "ro-crate-metadata.json"):
        shutil.copy(ROOT / name, folder)
    for name in ("lib", "results"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("notebooks", "__pycache__"))
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    shutil.copytree(smoke / "notebooks", folder / "book" / "notebooks")
    for figures in (ROOT / "figures", smoke / "figures"):
        shutil.copytree(figures, folder / "figures", dirs_exist_ok=True)


def build(folder, **addresses):
    """Build as `make site` does; without an address unless one is given."""
    command = [sys.executable, Path(sys.executable).parent / "jupyter-book", "build", ".", "-W", "-n",
               "--keep-going", "-q", "--all"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("COMPANION_")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=clean | addresses)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Return a source folder with spaces in its name and notebooks run under smoke."""
    done = doit()
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path_factory.mktemp("a book")
    copy_sources(folder, keys.ROOT / "_build" / "smoke")
    return folder


@pytest.fixture(scope="session")
def site(source):
    """Return the parsed pages of the site, by path."""
    done = build(source)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    html = source / "_build" / "html"
    return {path.relative_to(html).as_posix(): Page(path) for path in sorted(html.rglob("*.html"))
            if "_static" not in path.parts}


def html(source):
    return source / "_build" / "html"


@pytest.mark.slow
def test_every_page_of_the_contents_is_built(site):
    """One page for each entry of _toc.yml."""
    toc = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert {f"{name}.html" for name in toc} <= set(site) and len(toc) > 10


@pytest.mark.slow
def test_every_link_and_anchor_leads_somewhere(site, source):
    """Internal links, images, scripts and styles exist; anchors exist on their page."""
    checked = 0
    for name, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (html(source) / name).parent / unquote(parts.path) if parts.path else html(source) / name
            assert target.exists(), f"{name}: {link}"
            anchor = unquote(parts.fragment)
            known = site.get(os.path.relpath(target, html(source)))
            assert not anchor or known is None or anchor in known.ids, f"{name}: {link}"
            checked += 1
    assert checked > 300


@pytest.mark.slow
def test_every_image_is_described(site):
    """Alternative text that is not a file name."""
    for name, page in site.items():
        for src, alt in page.images:
            assert alt and not re.search(r"\.(png|svg|pdf)$|^[0-9a-f]{16,}", alt), f"{name}: {src} {alt!r}"


@pytest.mark.slow
def test_every_page_has_one_title_and_no_debris(site):
    """One h1; no NaN, traceback, object repr or machine path in what is read."""
    for name, page in site.items():
        assert page.h1 == 1 or name in ("genindex.html", "search.html"), f"{name}: {page.h1} titles"
        text = " ".join(page.text)
        if name.startswith("book/api/"):         # "nan" is a word there: a value that an argument may have
            text = re.sub(r"\bnan\b", "", text)
        found = BROKEN.search(text)
        assert not found, f"{name}: {text[found.start() - 60:found.end() + 60]}"


@pytest.mark.slow
def test_no_page_asks_the_network(site, source):
    """No script, style, image or font from elsewhere; MathJax lies beside the pages."""
    for name, page in site.items():
        assert not page.remote, f"{name}: {page.remote}"
    assert (html(source) / "_static" / "mathjax" / "tex-chtml.js").stat().st_size > 1e6
    for style in html(source).rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?https?:", text), style.name


@pytest.mark.slow
def test_notebook_pages_say_where_they_come_from(site):
    """Source, key and parameters in a box; the smoke profile in a banner; the commit on every page."""
    for name, page in site.items():
        text = " ".join(page.text)
        if name.startswith("book/notebooks/"):
            assert "How this page was made" in text and "Smoke run" in text and "profile = 'smoke'" in text
        if name not in ("genindex.html", "search.html"):
            assert re.search(r"Version \S+, commit .+Profile: smoke", text), name


@pytest.mark.slow
def test_tables_and_figures_are_numbered(site):
    """Every table and figure of a notebook has a number and is a target of references."""
    for name, page in site.items():
        if name.startswith("book/notebooks/"):
            text = " ".join(page.text)
            for prefix, word in (("fig-", r"Fig\. \d+\.\d+"), ("tab-", r"Table \d+\.\d+")):
                targets = [i for i in page.ids if i.startswith(prefix)]
                assert len(re.findall(word, text)) >= len(targets), f"{name}: {targets}"


@pytest.mark.slow
def test_every_number_of_a_run_leads_to_its_cell(site, source):
    """A glued number stands in a link, whose target is a cell of the notebook that glued it."""
    numbers, links = 0, 0
    for name in site:
        text = (html(source) / name).read_text(encoding="utf-8")
        numbers += text.count('<span class="pasted-text">')
        links += len(GLUED.findall(text))
    assert numbers == links > 300
    assert "n03-null-magnitude-score" in site["book/notebooks/03_loeo_training.html"].ids


@pytest.mark.slow
def test_every_figure_and_table_can_be_taken_away(site, source):
    """Each figure has its code and a PDF, each table a CSV that is not empty."""
    for name, page in site.items():
        if name.startswith("book/notebooks/"):
            figures = [i for i in page.ids if i.startswith("fig-")]
            assert sum(link.endswith(".pdf") for link in page.links) == len(figures), name
            tables = [i for i in page.ids if i.startswith("tab-")]
            found = {link for link in page.links if link.endswith(".csv")}
            assert len(found) == len(tables), name
            for link in found:
                assert len(((html(source) / name).parent / link).read_text(encoding="utf-8").splitlines()) > 1


@pytest.mark.slow
def test_every_chapter_has_a_head_and_an_answer(site):
    """What is learnt and needed, how long it takes, and the answer before the question is worked out."""
    for name, page in site.items():
        if name.startswith("book/notebooks/"):
            text = " ".join(page.text)
            for words in ("You learn", "You need", "Time to run", "Shown here", "In short.", "Exercises"):
                assert words in text, f"{name}: {words}"


@pytest.mark.slow
def test_the_library_is_linked_from_pages_and_boxes(site):
    """Names of library functions lead to their entries."""
    boxes = [name for name, page in site.items() if any("api/" in link and "#module-lib." in link
                                                        for link in page.links)]
    assert sum(name.startswith("book/notebooks/") for name in boxes) == len(keys.names())
    assert any(link.endswith("evidence.html#lib.splits.folds") or "#lib.metrics" in link
               for link in site["book/methods.html"].links)
    assert "lib.stft.spectrogram" in site["book/api/images.html"].ids


@pytest.mark.slow
def test_code_leads_to_the_library_reference(site):
    """In every chapter calls of the library are links to their entries, those that a package lends too."""
    chapters = {name: page.links for name, page in site.items() if name.startswith("book/notebooks/")}
    lent = [name for name, links in chapters.items() if any(link.endswith("#lib.report.results.save_results")
                                                            for link in links)]
    assert len(lent) == len(keys.names())
    loeo = chapters["book/notebooks/03_loeo_training.html"]
    assert any(link.endswith("#lib.evaluate.score_rows") for link in loeo)


@pytest.mark.slow
def test_the_switchboard_reads_without_a_script(site, source):
    """All nine leaks with their bars are in the page itself."""
    text = (html(source) / "book/notebooks/07_evidence_lab.html").read_text(encoding="utf-8")
    board = text[text.index('class="switchboard"'):]
    assert board.count("<li data-say=") == 9 and board.count("<svg") >= 18


@pytest.mark.slow
def test_a_broken_reference_fails_the_build_each_time(source, tmp_path):
    """A warning is an error, the second time too."""
    folder = tmp_path / "broken"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("_build"))
    with open(folder / "book" / "adapt.md", "a", encoding="utf-8") as page:
        page.write("\nSee {numref}`no-such-figure`.\n")
    for _ in range(2):
        done = build(folder)
        assert done.returncode and "no-such-figure" in done.stdout + done.stderr


@pytest.mark.slow
def test_an_address_brings_links_and_none_brings_none(source, site, tmp_path):
    """Repository, Binder, site map and preview appear where addresses are configured, and nowhere else."""
    chapter = "book/notebooks/03_loeo_training.html"
    assert not any("binder" in link for page in site.values() for link in page.links)
    assert not (html(source) / "sitemap.xml").exists()
    folder = tmp_path / "hosted"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("_build"))
    done = build(folder, COMPANION_REPO="https://github.com/owner/name", COMPANION_SITE="https://example.org/book")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    links = Page(html(folder) / chapter).links
    assert any(link.startswith("https://mybinder.org/v2/gh/owner/name/main?") for link in links)
    assert "https://github.com/owner/name/blob/main/notebooks/03_loeo_training.py" in links
    assert "https://example.org/book/" in (html(folder) / "sitemap.xml").read_text(encoding="utf-8")
    assert (html(folder) / "404.html").is_file()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_page_has_a_title_and_sections_and_types_no_score(path):
    """One first-level heading, at least one second-level; scores are pasted from runs."""
    text = re.sub(r"^(```+|~~~+).*?^\1", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1 and re.search(r"^## ", text, re.MULTILINE)
    if path.stem not in ("background", "methods"):      # these quote printed numbers and worked examples
        assert not TYPED_SCORE.search(text), TYPED_SCORE.search(text).group()


def test_every_page_is_in_the_contents():
    """No page is left out."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    api = sorted((ROOT / "book" / "api").glob("*.rst"))
    for path in (*PAGES[1:], *api):
        assert f"- file: {path.relative_to(ROOT).with_suffix('').as_posix()}\n" in toc


def test_figures_readme_lists_what_is_there():
    """figures/README.md is in step with the tracked figures, each of which has a notebook."""
    folder = ROOT / "figures"
    stems = {p.with_suffix("").relative_to(folder).as_posix() for p in folder.rglob("*.png")}
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)) == stems
    assert {Path(s).name.split("-")[0] for s in stems} <= set(keys.names())


def test_costs_quoted_from_the_benchmarks_are_those_of_the_file():
    """Each number before the name of a row of results/bench.json is that row's."""
    rows = json.loads((ROOT / "results" / "bench.json").read_text(encoding="utf-8"))
    measured = {row["name"]: row["ratio"] for row in rows}
    text = (ROOT / "book" / "reproduce.md").read_text(encoding="utf-8")
    found = re.findall(r"(\d+\.\d+) [^`|\n]*\(`([^`]+)`\)", text)
    quoted = [(float(n), name) for n, name in found if name in measured]
    assert len(quoted) >= 6 and all(measured[name] == n for n, name in quoted)
