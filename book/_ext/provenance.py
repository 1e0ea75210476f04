"""Where a page comes from: head and box of a chapter, a link from each number and figure to its cell.

A quoted number is a link to the cell that made it; a figure has its code and its PDF beside it; the box at
the end of a chapter names source, parameters, key, commit and the modules it rests on.
"""

import ast
import html
import os
import re
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.roles import PasteTextRole
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from stamps import NOTEBOOKS, anchor, duration, glued, run_record, shown, stamp, up

FIGURE = re.compile(r"figures/(?:full/)?((\d\d_\w+)-([\w-]+))\.png$")


# --- a number leads to its cell -----------------------------------------------------------------------------

class LinkedGlue(PasteTextRole):
    """`{glue:text}` whose text is a link to the cell that made it."""

    def run(self):
        """Return the number inside a link; `PointAtCells` completes those to other pages."""
        found, messages = super().run()
        if not found:
            return found, messages
        node = found[0]
        if isinstance(node, PendingGlueReference):
            link = nodes.reference("", "", node, internal=True, refuri="", glue=(node.refdoc, node.key))
        else:
            here, key = self.document.settings.env.docname, self.text.rsplit(":", 1)[0]
            link = nodes.reference("", "", node, internal=True, refid=anchor(here, key))
        link["classes"].append("glued")
        link["reftitle"] = "to the cell that made this value"
        return [link], messages


class PointAtCells(SphinxPostTransform):
    """Give the links of numbers quoted from other pages their address, before myst-nb puts in the numbers."""

    default_priority = 4

    def run(self, **kwargs):
        """Complete each of them."""
        for link in self.document.findall(nodes.reference):
            if "glue" in link:
                docname, key = link["glue"]
                single = self.app.builder.name == "singlehtml"
                page = "" if single else self.app.builder.get_relative_uri(self.env.docname, docname)
                link["refuri"] = f"{page}#{anchor(docname, key)}"


def mark_cells(doctree, root, docname):
    """Give the cells that made numbers and figures their ids."""
    ids = {}
    for key, cell in glued(root, docname).items():
        ids.setdefault(cell, []).append(anchor(docname, key))
    for item in shown(root, docname):
        ids.setdefault(item["cell"], []).append(anchor(docname, item["name"]))
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            node["ids"] += ids.get(node["cell_index"], [])


# --- a figure leads to its notebook -------------------------------------------------------------------------

def link_figures(doctree, root, docname):
    """Put links to code and PDF below the caption of every figure that a notebook made."""
    made = {item["cell"]: item for item in shown(root, docname) if item["kind"] == "figure"}
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code" and cell["cell_index"] in made:
            name = made[cell["cell_index"]]["name"]
            stem = f"{docname.rsplit('/', 1)[-1]}-{name.removeprefix('fig-')}"
            for figure in cell.findall(nodes.figure):
                figure += _figure_links(docname, stem, f"#{anchor(docname, name)}", "Code")
    for figure in doctree.findall(nodes.figure):
        image = next(figure.findall(nodes.image), None)
        found = FIGURE.search(image["uri"]) if image is not None else None
        if found:
            stem, notebook, name = found.groups()
            page = os.path.relpath(f"{NOTEBOOKS}/{notebook}", os.path.dirname(docname) or ".")
            figure += _figure_links(docname, stem, f"{page}.html#{anchor(notebook, 'fig-' + name)}",
                                    f"Made by {notebook}")


def _figure_links(docname, stem, target, words):
    """Legend with the two links; in one page for print there is nothing to click."""
    pdf = f"{up(docname)}_downloads/figures/{stem}.pdf"
    return nodes.legend("", nodes.raw("", (
        f'<p class="figure-links"><a href="{target}">{words}</a> '
        f'<a href="{pdf}" download aria-label="PDF of this figure">PDF</a></p>'), format="html"))


# --- the head of a chapter ----------------------------------------------------------------------------------

class Glance(SphinxDirective):
    """`:::{glance}` with a definition list: what a reader learns and needs; time and data are added."""

    has_content = True

    def run(self):
        """Return the list with two more entries."""
        box = nodes.container(classes=["companion-glance"])
        self.state.nested_parse(self.content, self.content_offset, box)
        listing = next(iter(box.findall(nodes.definition_list)), None)
        if listing is None or len(listing) != 2:
            raise self.error("glance: expected two entries, 'You learn' and 'You need', "
                             "each with a line ': ...'")
        root, docname = Path(self.env.srcdir), self.env.docname
        run = stamp(root, docname)
        if run:
            record = run_record(root, run["notebook"])
            profile = run["parameters"].get("profile", "light")
            hardware = f" on {record['hardware']}" if record else ""
            for term, text in (("Time to run", f"{duration(record)}{hardware}"),
                               ("Shown here", f"profile {profile}; data: {run['data']}")):
                listing += nodes.definition_list_item(
                    "", nodes.term("", term), nodes.definition("", nodes.paragraph("", text)))
        return [box]


def banner(section, run):
    """Say at the top of a chapter what its numbers are worth, where its head does not."""
    profile = run["parameters"].get("profile", "light")
    heads = [node for node in section.findall(nodes.container) if "companion-glance" in node["classes"]]
    if profile != "smoke" and heads:
        return
    text = f"Profile {profile}. Data: {run['data']}."
    if profile == "smoke":
        text = "Smoke run: this page shows that the chain works. Its numbers mean nothing."
    title = section.first_child_matching_class(nodes.title)
    section.insert((title or 0) + 1, nodes.container("", nodes.paragraph("", text),
                                                     classes=["companion-banner", profile]))


# --- the box at its end -------------------------------------------------------------------------------------

def launch_links(source: str, docname: str) -> dict[str, str]:
    """Return name and address of the places where a notebook can be opened; none without an address.

    `COMPANION_REPO` is the repository's address, `COMPANION_REF` a branch or tag (``main``),
    `COMPANION_PAGES_BRANCH` the branch that holds the built site, which Colab needs: it cannot read a
    notebook kept as text. A launch has not been tried from here.
    """
    repository = os.environ.get("COMPANION_REPO", "").rstrip("/")
    if not repository:
        return {}
    reference = os.environ.get("COMPANION_REF", "main")
    links = {"repository": f"{repository}/blob/{reference}/{source}"}
    owner = re.match(r"https://github\.com/([\w.-]+/[\w.-]+)$", repository)
    if owner:
        links["Binder"] = (f"https://mybinder.org/v2/gh/{owner[1]}/{reference}"
                           f"?urlpath=lab/tree/{source}")
        if branch := os.environ.get("COMPANION_PAGES_BRANCH"):
            links["Colab"] = (f"https://colab.research.google.com/github/{owner[1]}/blob/{branch}/"
                              f"_sources/{docname}.ipynb")
    return links


def box(run, source, docname, commit):
    """Return the nodes of 'How this page was made'; `source` is the notebook as text."""
    name, profile = run["notebook"], run["parameters"].get("profile", "light")
    values = ", ".join(f"{k} = {v!r}" for k, v in run["parameters"].items())
    given = [p for p in run["parts"] if p.startswith("results of ")]
    rows = {
        "Source": f'<a href="{up(docname)}_downloads/notebooks/{name}.py" download>{run["source"]}</a>',
        "Executed": f'<a href="{up(docname)}_sources/{docname}.ipynb" download>{name}.ipynb</a>',
        "Parameters": f"<code>{html.escape(values)}</code>",
        "Profile": html.escape(profile),
        "Data": html.escape(run["data"]),
        "Reads": html.escape(", ".join(given)) or "no other results",
        "Key": f"<code>{run['key']}</code>",
        "Commit": html.escape(commit),
        "Again": f'<code>make run NB={name} P="-p profile {profile}"</code>',
    }
    links = launch_links(run["source"], docname)
    if links:
        rows["Open"] = " ".join(f'<a href="{html.escape(address)}">{word}</a>'
                                for word, address in links.items())
    body = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in rows.items())
    modules = [p for p in run["parts"] if p.startswith("lib/") and p.endswith(".py")]
    opened = ('<div class="companion-made" role="note" aria-label="How this page was made">'
              f'<p class="rubric">How this page was made</p><dl>{body}</dl>')
    return [nodes.raw("", opened, format="html"), _modules(called(source, modules), len(modules), docname),
            nodes.raw("", "</div>", format="html")]


def called(source, modules):
    """Return the dotted names of the modules that a notebook imports itself, of those it rests on."""
    known = {p.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for p in modules}
    named = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted((named & known) - {"lib"})


def _modules(names, n_all, docname):
    """One paragraph of links to the library reference."""
    words = nodes.paragraph("", f"Rests on {n_all} modules of the library. Called here: ",
                            classes=["companion-modules"])
    for name in names:
        words += addnodes.pending_xref("", nodes.literal(name, name), refdomain="py", reftype="mod",
                                       reftarget=name, refexplicit=True, refdoc=docname, refwarn=True)
        words += nodes.Text(" ")
    return words


def describe(app, doctree):
    """Mark cells and figures; add head and box of a chapter."""
    docname, root = app.env.docname, Path(app.srcdir)
    for reference in doctree.findall(PendingGlueReference):   # a quoted number changes with its notebook
        app.env.note_dependency(app.env.doc2path(reference.refdoc))
    mark_cells(doctree, root, docname)
    link_figures(doctree, root, docname)
    run = stamp(root, docname)
    section = next(iter(doctree.findall(nodes.section)), None)
    if run and section is not None:
        banner(section, run)
        section.extend(box(run, root / run["source"], docname, app.config.companion_commit))


def setup(app):
    """Connect everything."""
    app.add_directive("glance", Glance)
    app.setup_extension("myst_nb")
    app.add_role_to_domain("glue", "text", LinkedGlue(), override=True)
    app.add_post_transform(PointAtCells)
    app.connect("doctree-read", describe)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
