"""Tables of `lib.report.table` and of the book's own directives: a number, a label, and a CSV to download."""

import csv
import html
import io
import re
import shutil
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.transforms import SphinxTransform
from stamps import docnames, shown, up

MARK = re.compile(r'<div class="companion-table" id="([\w-]+)"')
FOLDER = "_downloads/tables"


class companion_table(nodes.General, nodes.Element):  # noqa: N801  docutils names nodes so
    """A table of `lib.report.table`, numbered like any other."""


class NumberTables(SphinxTransform):
    """Turn the HTML of `lib.report.table` into nodes that have a number and a label."""

    default_priority = 500

    def apply(self):
        """Replace each of them."""
        for raw in list(self.document.findall(nodes.raw)):
            found = MARK.match(raw.astext())
            if found:
                before, rest = raw.astext().split("<caption>", 1)
                caption, rest = rest.split("</caption>", 1)
                node = companion_table("", before=before + "<caption>", text=caption,
                                       after="</caption>" + rest, caption=html.unescape(caption),
                                       docname=self.env.docname)
                node["names"] = [found.group(1)]
                self.document.note_explicit_target(node, node)
                raw.replace_self(node)


def file_name(docname: str, label: str) -> str:
    """Return the file of a table's CSV, below the root of the site."""
    return f"{FOLDER}/{docname.rsplit('/', 1)[-1]}-{label.removeprefix('tab-')}.csv"


def visit_table(self, node):
    """Write the table with its number before the caption and its CSV behind it."""
    self.body.append(node["before"])
    self.add_fignumber(node)
    at = "" if self.builder.name == "singlehtml" else up(node["docname"])
    target = at + file_name(node["docname"], node["names"][0] if node["names"] else node["ids"][0])
    self.body.append(f'{node["text"]} <a class="csv" href="{target}" download '
                     f'aria-label="CSV of this table">CSV</a>{node["after"]}')
    raise nodes.SkipNode


def skip(self, node):
    """Leave it out of other formats."""
    raise nodes.SkipNode


def rows_of(table) -> list[list[str]]:
    """Return the text of an HTML table's cells, cells that span rows repeated in each."""
    rows, spans = [], {}
    for line in table.find_all("tr"):
        row, cells = [], iter(line.find_all(["th", "td"]))
        while True:
            if spans.get(len(row), (0, ""))[0]:
                left, text = spans[len(row)]
                spans[len(row)] = (left - 1, text)
                row.append(text)
                continue
            cell = next(cells, None)
            if cell is None:
                break
            text = " ".join(cell.get_text(" ", strip=True).split()).replace("\N{MINUS SIGN}", "-")
            if int(cell.get("rowspan", 1)) > 1:
                spans[len(row)] = (int(cell["rowspan"]) - 1, text)
            row.append(text)
        rows.append(row)
    return rows


def as_csv(table) -> str:
    """Return an HTML table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows_of(table))
    return text.getvalue()


def write_csv(app, exception):
    """Write every table's CSV: with all digits from its notebook, else with the text of its cells."""
    if exception or app.builder.format != "html":
        return
    out, root = Path(app.outdir), Path(app.srcdir)
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    (out / FOLDER).mkdir(parents=True)
    for docname in docnames(root):
        for item in shown(root, docname):
            if item["kind"] == "table":
                (out / file_name(docname, item["name"])).write_text(item["csv"], encoding="utf-8")
    for docname in sorted(app.env.found_docs - set(docnames(root))):
        page = out / f"{docname}.html"
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        for found in MARK.finditer(text):
            table = BeautifulSoup(text[found.start():text.index("</table>", found.start())], "html.parser")
            (out / file_name(docname, found[1])).write_text(as_csv(table), encoding="utf-8")


def setup(app):
    """Connect everything."""
    app.add_enumerable_node(companion_table, "table", lambda node: node["caption"], html=(visit_table, None),
                            latex=(skip, None), text=(skip, None), man=(skip, None), texinfo=(skip, None))
    app.add_transform(NumberTables)
    app.connect("build-finished", write_csv)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
