"""Directive `{figure-index}`: every figure of the book, small, with its number and the way to it."""

import html
import re
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective
from stamps import docnames, notebook, shown, up

WIDTH_PX, COLOURS = 300, 128
THUMBS = "_images/thumbs"
LOCAL_GLUE = re.compile(r"(\{glue:\w+\}`)(?![^`]*::)")
FIRST = re.compile(r"(.+?[.?!])(?=\s+[A-Z]|\s*$)", re.DOTALL)      # first sentence


class FigureIndex(SphinxDirective):
    """A section for each chapter, a small picture for each figure."""

    def run(self):
        """Return the sections."""
        root, sections = Path(self.env.srcdir), []
        for docname in docnames(root):
            self.env.note_dependency(str(root / f"{docname}.ipynb"))
            figures = [item for item in shown(root, docname) if item["kind"] == "figure"]
            if figures:
                sections.append(self._section(root, docname, figures))
        return sections

    def _section(self, root, docname, figures):
        """Heading and gallery of one chapter."""
        stem = docname.rsplit("/", 1)[-1]
        section = nodes.section(ids=[f"figures-{stem.replace('_', '-')}"])
        heading = _title(root, docname)
        section += nodes.title("", "", nodes.Text(heading))
        gallery = nodes.container(classes=["figure-gallery"])
        for item in figures:
            name = f"{stem}-{item['name'].removeprefix('fig-')}"
            target = f"{up(self.env.docname)}{docname}.html#{item['name']}"
            small = f"{up(self.env.docname)}{THUMBS}/{name}.png"
            picture = (f'<a href="{target}"><img src="{small}" '
                       f'alt="{html.escape(item["alt"])}" loading="lazy" width="{WIDTH_PX}"></a>')
            number = addnodes.pending_xref(
                "", nodes.literal("", item["name"], classes=["xref"]), refdomain="std", reftype="numref",
                reftarget=item["name"], refexplicit=False, refdoc=self.env.docname, refwarn=True)
            words = nodes.paragraph("", "", number, nodes.Text(" "))
            caption = FIRST.match(item["caption"].strip() + " ").group(1)
            caption = LOCAL_GLUE.sub(rf"\1notebooks/{stem}.ipynb::", caption)
            words += self.state.inline_text(caption, self.lineno)[0]
            gallery += nodes.container("", nodes.raw("", picture, format="html"), words,
                                       classes=["figure-card"])
        section += gallery
        return section


def _title(root, docname):
    """Return the first heading of a notebook."""
    text = "".join(notebook(root, docname)["cells"][0]["source"])
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1]


def write_thumbnails(app, exception):
    """Write the small pictures beside the pages, and the PDF of every figure for download."""
    if exception or app.builder.format != "html":
        return
    out, figures = Path(app.outdir), Path(app.srcdir) / "figures"
    for folder in (THUMBS, "_downloads/figures"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for path in sorted(figures.glob("*.png")):
        with Image.open(path) as picture:
            small = picture.convert("RGB").reduce(2)
            small.thumbnail((WIDTH_PX, WIDTH_PX * 3), Image.Resampling.LANCZOS)
            small.quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(out / THUMBS / path.name)
    for path in sorted(figures.glob("*.pdf")):
        (out / "_downloads" / "figures" / path.name).write_bytes(path.read_bytes())


def setup(app):
    """Register the directive."""
    app.add_directive("figure-index", FigureIndex)
    app.connect("build-finished", write_thumbnails)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
