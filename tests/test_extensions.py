"""What the book's extensions do to a page, on the smallest pages that show it."""

import ast
import csv
import io
import sys

import pytest
from bs4 import BeautifulSoup

from book import keys

sys.path.insert(0, str(keys.ROOT / "book" / "_ext"))
import api_reference  # noqa: E402
import cite_block  # noqa: E402
import code_links  # noqa: E402
import numbered_tables  # noqa: E402
import provenance  # noqa: E402
import stamps  # noqa: E402


def test_every_module_is_on_one_page_of_the_reference():
    """The pages of the library reference name each module of lib once, in the list on top and as an entry."""
    known = set(api_reference.modules(keys.ROOT))
    entries, listed = [], []
    for path in (keys.ROOT / "book" / "api").glob("*.rst"):
        lines = path.read_text(encoding="utf-8").split("\n")
        entries += [line.split(":: ")[1] for line in lines if line.startswith(".. api-module::")]
        start = next(i for i, line in enumerate(lines) if line.startswith(".. module-list::"))
        end = lines.index("", start)
        listed += " ".join(lines[start:end]).replace(".. module-list::", "").split()
    assert sorted(entries) == sorted(known) == sorted(listed)


def test_the_list_of_modules_says_what_each_is_in_one_sentence():
    """Without its layer, and with one mark at its end."""
    said = [api_reference.first_line(path) for path in api_reference.modules(keys.ROOT).values()]
    assert all(line and "layer" not in line and line[-1] in ".?" and line[-2] not in ".?" for line in said)


def test_a_docstring_becomes_restructured_text():
    """Names in single backticks become roles, bars plain, doctests stay as they are."""
    tree = ast.parse('def f(a, b=2, *, c: int = 3):\n'
                     '    """Return |a| of `b` and ``c``.\n\n    >>> f("`x`")\n    """')
    lines = api_reference._docstring(tree.body[0], "lib.x")
    assert lines[0] == r"Return \|a\| of :libname:`lib.x|b` and ``c``."
    assert '>>> f("`x`")' in lines
    assert api_reference._signature(tree.body[0]) == "(a, b=2, *, c=3)"


def test_a_plural_behind_a_name_keeps_it_a_role():
    """A letter right behind a role would end it."""
    assert api_reference._prose("rows of `Job`s", "lib.x") == r"rows of :libname:`lib.x|Job`\ s"


def test_code_leads_to_the_reference():
    """A call of the library is a link; a variable, an argument and a module of the same name are not."""
    head = '<div class="highlight-python notranslate"><div class="highlight"><pre>'

    def name(*words):
        return '<span class="o">.</span>'.join(f'<span class="n">{word}</span>' for word in words)

    job, fit, equals = name("Job"), name("train", "fit", "loss"), '<span class="o">=</span>'
    code = [f"from lib import {name('train')}, {name('windows')} as w",
            f"from lib.x import {job}</pre>", head,
            f"{fit} = {job}({job}{equals}1, {name('w')}, {name('fit')})", name("train", "unknown")]
    page = head + "\n".join(code) + "</pre>"
    addresses = {"lib.train": "t", "lib.train.fit": "t#fit", "lib.windows": "w", "lib.x.Job": "x#Job"}
    linked = BeautifulSoup(code_links.link(page, addresses, {"lib.train", "lib.windows"}), "html.parser")
    found = [(a["href"], a.text) for a in linked.find_all("a")]
    assert found == [("x#Job", "Job"), ("t#fit", "train.fit"), ("x#Job", "Job")]
    assert linked.text == BeautifulSoup(page, "html.parser").text


def test_modules_lend_names():
    """`lib.report.table` is `lib.report.page.table`, whose entry the reference has."""
    lent = api_reference.reexported(keys.ROOT)
    assert lent["lib.report.table"] == "lib.report.page.table"
    assert lent["lib.train.pool"] == "lib.executors.start"


def test_links_to_places_need_an_address(monkeypatch):
    """No address, no link; with one, repository and Binder, and Colab where the built site has a branch."""
    for name in ("COMPANION_REPO", "COMPANION_REF", "COMPANION_PAGES_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    page = ("notebooks/03_x.py", "book/notebooks/03_x")
    assert provenance.launch_links(*page) == {}
    monkeypatch.setenv("COMPANION_REPO", "https://github.com/owner/name")
    found = provenance.launch_links(*page)
    assert set(found) == {"repository", "Binder"}
    assert found["repository"].endswith("/blob/main/notebooks/03_x.py")
    assert found["Binder"].endswith("/gh/owner/name/main?urlpath=lab/tree/notebooks/03_x.py")
    monkeypatch.setenv("COMPANION_PAGES_BRANCH", "gh-pages")
    assert provenance.launch_links(*page)["Colab"].endswith("/gh-pages/_sources/book/notebooks/03_x.ipynb")
    monkeypatch.setenv("COMPANION_REPO", "https://example.org/owner/name")
    assert set(provenance.launch_links(*page)) == {"repository"}


def test_a_table_becomes_csv_with_spanned_cells_repeated():
    """Row headers that span rows stand in each of them, minus signs become hyphens."""
    html = stamps.table_html("x", "A & B", ("a", "b", "c"),
                             '<tr><th rowspan="2">n</th><td>1</td><td>\N{MINUS SIGN}2</td></tr>'
                             "<tr><td>3</td><td>4, 5</td></tr>")
    assert "A &amp; B" in html
    rows = list(csv.reader(io.StringIO(numbered_tables.as_csv(BeautifulSoup(html, "html.parser")))))
    assert rows == [["a", "b", "c"], ["n", "1", "-2"], ["n", "3", "4, 5"]]


@pytest.mark.parametrize("seconds, words", [(12.3, "12 s"), (89, "89 s"), (240, "4 min")])
def test_a_duration_is_said_in_its_unit(seconds, words):
    """Seconds below a minute and a half, minutes above; nothing is guessed."""
    record = {"longest": seconds, "seconds": 3.0}
    assert stamps.duration(record) == words and stamps.duration({}) == "not measured"
    assert stamps.duration(record, "seconds") == "3 s"


def test_a_citation_names_version_and_commit():
    """A group of authors stays whole in BibTeX; what is not known is left out."""
    record = {"title": "T", "authors": [{"name": "The group"}], "version": "1.0", "type": "software"}
    assert cite_block.sentence(record, "abc") == "The group. T. Version 1.0, commit abc. Software."
    text = cite_block.bibtex(record | {"date-released": "2026-11-27", "doi": "10.1/x"}, "abc")
    assert "{{The group}}" in text and "2026" in text and "10.1/x" in text


def test_texts_of_a_module_are_read_without_importing_it(tmp_path):
    """A dictionary of texts is found by name, and a missing one is named."""
    path = tmp_path / "m.py"
    path.write_text('raise SystemExit\nNAMES = {"a": "b" "c"}\n', encoding="utf-8")
    assert stamps.texts_in(path, "NAMES") == {"a": "bc"}
    with pytest.raises(KeyError, match="OTHER"):
        stamps.texts_in(path, "OTHER")


def test_an_anchor_is_unique_in_the_book():
    """Chapter and key make the id of a cell."""
    assert stamps.anchor("book/notebooks/03_loeo_training", "n-events") == "n03-n-events"
