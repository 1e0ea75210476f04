"""Directives of the status page: every run, the committed full runs, and what the browser check found."""

import html
import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from stamps import docnames, duration, run_record, stamp, table_html, texts_in


class NotebookRuns(SphinxDirective):
    """Table of the runs this site shows: parameters, inputs, outputs, time, key."""

    def run(self):
        """Return the table."""
        root = Path(self.env.srcdir)
        runs = [stamp(root, name) for name in docnames(root)]
        hardware = sorted({run_record(root, run["notebook"]).get("hardware", "") for run in runs} - {""})
        caption = ("The notebooks of this site: what they were run with, what they read, how long they took"
                   + (f" on {' and '.join(hardware)}." if hardware else "."))
        rows = "".join(_run_row(root, run) for run in runs)
        heads = ("notebook", "parameters", "data", "reads", "figures", "time (last)", "key")
        return [nodes.raw("", table_html("runs", caption, heads, rows), format="html")]


def _run_row(root, run):
    """One row of `NotebookRuns`; the time is known where the notebook was run here."""
    name = run["notebook"]
    given = [p.removeprefix("results of ") for p in run["parts"] if p.startswith("results of ")]
    figures = sum(p.endswith(".png") for p in run["outputs"])
    values = ", ".join(f"{key} = {value!r}" for key, value in run["parameters"].items())
    cells = (f"<code>{html.escape(values)}</code>", html.escape(run["data"]),
             html.escape(", ".join(given) or "nothing"), str(figures), _times(run_record(root, name)),
             f"<code>{run['key']}</code>")
    return (f'<tr><th scope="row"><a href="notebooks/{name}.html">{name}</a></th>'
            + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")


def _times(record):
    """Say how long the longest run took and, if it was quicker, the last."""
    longest, last = duration(record), duration(record, "seconds")
    return longest if longest == last else f"{longest} ({last})"


class FullRuns(SphinxDirective):
    """Table of the committed runs at published size, or a sentence that there is none."""

    def run(self):
        """Return it."""
        rows = []
        for path in sorted((Path(self.env.srcdir) / "results" / "full").glob("*.json")):
            self.env.note_dependency(str(path))
            found = json.loads(path.read_text(encoding="utf-8"))
            cells = (found.get("commit", "not stated"), found.get("hardware", "not stated"))
            rows.append(f'<tr><th scope="row"><a href="notebooks/{path.stem}.html">{path.stem}</a></th>'
                        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
        if not rows:
            return [nodes.paragraph("", "No run of profile full is committed.")]
        return [nodes.raw("", table_html("full-runs", "Committed runs of profile full.",
                                         ("notebook", "commit", "hardware"), "".join(rows)), format="html")]


class LibTable(SphinxDirective):
    """`{lib-table} lib/splits.py PROTOCOLS`: a dictionary of texts of the library as a table."""

    required_arguments = 2
    option_spec = {"name": str, "caption": str, "heads": str}

    def run(self):
        """Return the table."""
        file, name = self.arguments
        path = Path(self.env.srcdir) / file
        self.env.note_dependency(str(path))
        rows = "".join(f'<tr><th scope="row">{html.escape(key)}</th><td>{html.escape(text)}</td></tr>'
                       for key, text in texts_in(path, name).items())
        heads = [word.strip() for word in self.options["heads"].split("|")]
        return [nodes.raw("", table_html(self.options["name"], self.options["caption"], heads, rows),
                          format="html")]


MODES = {"light": "desktop, light", "dark": "desktop, dark", "phone": "phone"}


class SiteCheck(SphinxDirective):
    """Table of results/site.json: what the last browser check measured on all pages."""

    def run(self):
        """Return the table, or a sentence that no check is committed."""
        path = Path(self.env.srcdir) / "results" / "site.json"
        if not path.is_file():
            return [nodes.paragraph("", "No result of the browser check is committed.")]
        self.env.note_dependency(str(path))
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = {"pages": found["pages"],
                "size of the site with all downloads (MB)": f"{found['bytes'] / 1e6:.1f}",
                "of it pages, figures and scripts (MB)": f"{found['bytes_without_downloads'] / 1e6:.1f}",
                "heaviest page without mathematics (MB)": f"{found['heaviest_page_bytes'] / 1e6:.2f}",
                **{f"accessibility violations, {MODES[mode]}": n
                   for mode, n in found["axe_violations"].items()},
                "requests that left the machine": found["remote_requests"],
                "requests that failed": found["failed_requests"],
                "errors in the console": found["console_errors"]}
        body = "".join(f'<tr><th scope="row">{html.escape(term)}</th><td class="num">{value}</td></tr>'
                       for term, value in rows.items())
        caption = f"The last committed check of the site in {found['browser']}, every page in every mode."
        return [nodes.raw("", table_html("site-check", caption, ("measured", "value"), body), format="html")]


def setup(app):
    """Register the directives."""
    app.add_directive("notebook-runs", NotebookRuns)
    app.add_directive("full-runs", FullRuns)
    app.add_directive("site-check", SiteCheck)
    app.add_directive("lib-table", LibTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
