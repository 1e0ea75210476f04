"""Directive `{notebook-parameters}`: every notebook's parameters, read from its own cell."""

import html
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from stamps import table_html

from book import parameters

HEADS = ("notebook", "parameter", "type", "default", "accepted", "meaning")
CAPTION = "Parameters of the notebooks, as their own cells say."
SHOWN = 8       # choices printed; of more only the first and the last


class NotebookParameters(Directive):
    """Table of what each notebook takes besides `profile`, which all take."""

    def run(self):
        """Return the table."""
        env = self.state.document.settings.env
        bodies = []
        for path in sorted((Path(env.srcdir) / "notebooks").glob("[0-9][0-9]_*.py")):
            env.note_dependency(str(path))
            bodies.append(_rows(path.stem, [one for name, one in parameters.read(path).items()
                                            if name != "profile"]))
        return [nodes.raw("", table_html("parameters", CAPTION, HEADS, "".join(bodies)), format="html")]


def _rows(name, found):
    """Rows of one notebook, under its name."""
    rows = []
    for i, one in enumerate(found):
        accepted = one.accepted if len(one.choices) <= SHOWN else \
            f"{one.choices[0]} ... {one.choices[-1]}, {len(one.choices)} in all"
        meaning = parameters.CHOICES.sub("", one.comment).strip(" :")       # choices have their own column
        default = "empty" if one.default == "" else str(one.default)
        cells = "".join(f"<td>{html.escape(text)}</td>" for text in (one.kind, default, accepted, meaning))
        head = f'<th scope="rowgroup" rowspan="{len(found)}"><a href="notebooks/{name}.html">{name}</a></th>'
        rows.append(f"<tr>{head * (i == 0)}<td><code>{html.escape(one.name)}</code></td>{cells}</tr>")
    return "".join(rows)


def setup(app):
    """Register the directive."""
    app.add_directive("notebook-parameters", NotebookParameters)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
