"""What the book needs beyond Jupyter Book: where a page comes from, numbered tables, no remote request.

Loaded through `sphinx.local_extensions`. It imports nothing from `lib`: a page is made from files.
"""

import html
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

NEGATIVE = re.compile(r'(<span class="pasted-text">)-(?=[\d.])')     # a hyphen that should be a minus sign
MARK = re.compile(r'<div class="companion-table" id="([\w-]+)"')
NOTEBOOKS = "book/notebooks"


def stamp(root: Path, docname: str) -> dict:
    """Return what the runner wrote into an executed notebook; empty for other pages."""
    path = root / f"{docname}.ipynb"
    if not path.is_file():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))["metadata"].get("companion", {})


def commit(root: Path) -> str:
    """Return the short commit, marked if tracked files differ from it."""
    def git(*words):
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
        return done.stdout
    try:
        changed = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "--short=10", "HEAD").strip() + (" with local changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"


def all_stamps(root: Path) -> list[dict]:
    """Return the stamps of all executed notebooks, in order."""
    found = (stamp(root, f"{NOTEBOOKS}/{path.stem}") for path in sorted((root / NOTEBOOKS).glob("*.ipynb")))
    return [item for item in found if item]


def _joined(values):
    return " and ".join(sorted(set(values))) or "none"


# --- every page: version, commit, profile -------------------------------------------------------------------

def configure(app, config):
    """Say on every page what it shows; switch on what needs a public address if there is one."""
    root = Path(app.srcdir)
    version = "unreleased"
    if (root / "pyproject.toml").is_file():
        version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    stamps = all_stamps(root)
    config.companion_commit = commit(root)
    profile = _joined(s["parameters"].get("profile", "light") for s in stamps)
    config.html_theme_options["extra_footer"] = (
        f'<p class="companion-footer">Version {html.escape(version)}, commit {config.companion_commit}. '
        f'Profile: {profile}. Data: {_joined(s["data"] for s in stamps)}. '
        "Code under MIT, text and figures under CC BY 4.0.</p>")
    if repository := os.environ.get("COMPANION_REPO"):
        config.html_theme_options.update(repository_url=repository, use_repository_button=True,
                                         use_issues_button=True)
    if site := os.environ.get("COMPANION_SITE"):
        config.html_baseurl = site.rstrip("/") + "/"


# --- notebook pages: banner and box -------------------------------------------------------------------------

def describe(app, doctree):
    """Add the profile at the top of a notebook's page and the box on its making at the end."""
    docname = app.env.docname
    for reference in doctree.findall(PendingGlueReference):   # a quoted number changes with its notebook
        app.env.note_dependency(app.env.doc2path(reference.refdoc))
    run = stamp(Path(app.srcdir), docname)
    section = next(iter(doctree.findall(nodes.section)), None)
    if not run or section is None:
        return
    profile = run["parameters"].get("profile", "light")
    text = f"Profile {profile}. Data: {run['data']}."
    if profile == "smoke":
        text = "Smoke run: this page shows that the chain works. Its numbers mean nothing."
    title = section.first_child_matching_class(nodes.title)
    section.insert((title or 0) + 1, nodes.container("", nodes.paragraph("", text),
                                                     classes=["companion-banner", profile]))
    section.append(nodes.raw("", _box(run, docname, app.config.companion_commit), format="html"))


def _box(run, docname, commit_text):
    """HTML of 'How this page was made'."""
    up = "../" * docname.count("/")
    name, profile = run["notebook"], run["parameters"].get("profile", "light")
    values = ", ".join(f"{k} = {v!r}" for k, v in run["parameters"].items())
    modules = [p for p in run["parts"] if p.startswith("lib/") and p.endswith(".py")]
    given = [p for p in run["parts"] if p.startswith("results of ")]
    rows = {
        "Source": f'<a href="{up}_downloads/notebooks/{name}.py" download>{run["source"]}</a>',
        "Executed": f'<a href="{up}_sources/{docname}.ipynb" download>{name}.ipynb</a>',
        "Parameters": f"<code>{html.escape(values)}</code>",
        "Data": html.escape(run["data"]),
        "Depends on": ", ".join([f"{len(modules)} modules of <code>lib</code>", *map(html.escape, given)]),
        "Key": f"<code>{run['key']}</code>",
        "Commit": html.escape(commit_text),
        "Again": f'<code>make run NB={name} P="-p profile {profile}"</code>',
    }
    body = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in rows.items())
    return (f'<div class="companion-made" role="note" aria-label="How this page was made">'
            f'<p class="rubric">How this page was made</p><dl>{body}</dl></div>')


# --- numbered tables ----------------------------------------------------------------------------------------

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
                caption = html.unescape(rest.split("</caption>", 1)[0])
                node = companion_table("", before=before + "<caption>", after=rest, caption=caption)
                node["names"] = [found.group(1)]
                self.document.note_explicit_target(node, node)
                raw.replace_self(node)


def visit_table(self, node):
    """Write the table with its number before the caption."""
    self.body.append(node["before"])
    self.add_fignumber(node)
    self.body.append(node["after"])
    raise nodes.SkipNode


def skip(self, node):
    """Leave it out of other formats."""
    raise nodes.SkipNode


# --- which notebook reads and writes what -------------------------------------------------------------------

class NotebookRuns(Directive):
    """Table of the runs this site shows: inputs, outputs, time, hardware."""

    def run(self):
        """Return the table."""
        root = Path(self.state.document.settings.env.srcdir)
        heads = ("notebook", "profile", "inputs", "outputs", "time", "hardware")
        rows = "".join(_run_row(root, s) for s in all_stamps(root))
        caption = "Notebooks, what they read and write, and how long they took."
        head = "".join(f'<th scope="col">{h}</th>' for h in heads)
        return [nodes.raw("", f'<div class="companion-table" id="tab-runs" tabindex="0" role="region" '
                              f'aria-label="{caption}"><table><caption>{caption}</caption><thead><tr>{head}</tr>'
                              f"</thead><tbody>{rows}</tbody></table></div>", format="html")]


def _run_row(root, run):
    """One row of `NotebookRuns`; the time is known where the notebook was run."""
    name = run["notebook"]
    side = root / "_build" / "runs" / f"{name}.json"
    took = json.loads(side.read_text(encoding="utf-8")) if side.is_file() else {}
    given = [p.removeprefix("results of ") for p in run["parts"] if p.startswith("results of ")]
    given += ["DATA"] if run["parts"].get("DATA", "none") != "none" else []
    made = [p for p in run["outputs"] if not p.endswith(".pdf")]
    figures = sum(p.endswith(".png") for p in made)
    results = [p for p in made if p.endswith(".json")]
    cells = (run["parameters"].get("profile", "light"), ", ".join(given) or "none",
             ", ".join([f"{figures} figures", *results]),
             f"{took['seconds']:.0f} s" if took else "not measured",
             took.get("hardware", "not measured"))
    return (f'<tr><th scope="row"><a href="notebooks/{name}.html">{name}</a></th>'
            + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")


# --- after the build: nothing remote, accessible ------------------------------------------------------------

# pattern, replacement; each must be found somewhere, or a newer theme has switched the repair off
REPAIRS = (
    (r'<script src="[^"]*fontawesome/[^"]*all\.min\.js[^"]*"></script>', ""),   # its icons come from the CSS
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),    # its visible label is its name
    (r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1"),
    (r'(<div id="jb-print-docs-body"[^>]*>\s*)<h1>(.*?)</h1>', r'\1<p class="h1">\2</p>'),   # a second title
    (r'role="doc-biblioentry"', 'role="listitem"'),
    (r'<div class="bd-sidebar-primary bd-sidebar',
     '<div role="complementary" aria-label="Book sidebar" class="bd-sidebar-primary bd-sidebar'),
)


def finish(app, exception):
    """Copy MathJax and the sources beside the pages, and repair what the theme gets wrong."""
    if exception or app.builder.format != "html":
        return
    out, root = Path(app.outdir), Path(app.srcdir)
    _copy_mathjax(out / "_static" / "mathjax")
    (out / "_downloads" / "notebooks").mkdir(parents=True, exist_ok=True)
    for source in (root / "notebooks").glob("*.py"):
        shutil.copy(source, out / "_downloads" / "notebooks")
    for unused in [*out.glob("_static/**/*.map"), *out.glob("_static/**/fontawesome/**/all.min.js")]:
        unused.unlink()
    hits = [0] * len(REPAIRS)
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for i, (pattern, replacement) in enumerate(REPAIRS):
            text, n = re.subn(pattern, replacement, text)
            hits[i] += n
        text = NEGATIVE.sub("\\1\N{MINUS SIGN}", text)
        page.write_text(text, encoding="utf-8")
    lost = [pattern for (pattern, _), n in zip(REPAIRS, hits, strict=True) if not n]
    if lost and app.builder.name == "html":
        raise ExtensionError(f"the theme has changed: nothing to repair for {lost}")


def _copy_mathjax(target):
    """Copy MathJax and its fonts from the wheel that carries them."""
    files = importlib.metadata.distribution("sphinx-mathjax-offline")
    script = next(f for f in files.files if f.name == "tex-chtml.js")
    home = Path(files.locate_file(script)).parent
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    (target / fonts).mkdir(parents=True, exist_ok=True)
    shutil.copy(home / "tex-chtml.js", target)
    for font in (home / fonts).iterdir():
        shutil.copy(font, target / fonts)
    notice = "MathJax 3, https://www.mathjax.org, Apache License 2.0\n"
    (target / "NOTICE").write_text(notice, encoding="utf-8")


def setup(app):
    """Connect everything."""
    app.add_config_value("companion_commit", "", "env")
    app.add_enumerable_node(companion_table, "table", lambda node: node["caption"], html=(visit_table, None),
                            latex=(skip, None), text=(skip, None), man=(skip, None), texinfo=(skip, None))
    app.add_transform(NumberTables)
    app.add_directive("notebook-runs", NotebookRuns)
    app.connect("config-inited", configure)
    app.connect("doctree-read", describe)
    app.connect("build-finished", finish)
    if os.environ.get("COMPANION_SITE"):
        for extension in ("sphinxext.opengraph", "sphinx_sitemap", "notfound.extension"):
            app.setup_extension(extension)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
