"""Names of the library inside code become links to the reference.

A page is read as a program: what one block imports from `lib`, the blocks below it know. Works on the pages
as they were written, because only there the code has its colours.
"""

import ast
import html
import os
import re
from pathlib import Path

from api_reference import reexported

BLOCK = re.compile(r'(<div class="highlight-(?:ipython3|python) notranslate"><div class="highlight"><pre>)'
                   r"(.*?)(</pre>)", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
CHAIN = re.compile(r'<span class="n">(\w+)</span>((?:<span class="o">\.</span><span class="n">\w+</span>)*)'
                   r'(?!<span class="o">=</span>)')           # not the name of an argument
PART = re.compile(r'<span class="o">\.</span><span class="n">\w+</span>')


def imported(code: str) -> dict[str, str]:
    """Return the names that a block takes from the library, with the full name of each."""
    try:
        tree = ast.parse(code)
    except SyntaxError:              # a fragment
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and re.match(r"(lib|book)(\.|$)", node.module or ""):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def link(page: str, addresses: dict[str, str], modules: set[str]) -> str:
    """Return a page with links from its code.

    Parameters
    ----------
    page : str
        HTML.
    addresses : dict
        Full name to address, relative to the page.
    modules : set of str
        Those names that are modules; alone they are no link, because a variable may be called alike.
    """
    names: dict[str, str] = {}

    def in_chain(match):
        full, parts, n = names.get(match[1], ""), PART.findall(match[2]), 0
        for part in parts:
            if full + TAG.sub("", part) not in addresses:
                break
            full, n = full + TAG.sub("", part), n + 1
        if full not in addresses or full in modules:
            return match[0]
        shown = f'<span class="n">{match[1]}</span>' + "".join(parts[:n])
        return f'<a class="api" href="{addresses[full]}">{shown}</a>' + "".join(parts[n:])

    def in_block(match):
        names.update(imported(html.unescape(TAG.sub("", match[2]))))
        return match[1] + (CHAIN.sub(in_chain, match[2]) if names else match[2]) + match[3]

    return BLOCK.sub(in_block, page)


def finish(app, exception):
    """Link the code of every page."""
    if exception or app.builder.name != "html":
        return
    known, out = app.env.get_domain("py").objects, Path(app.outdir)
    modules = {name for name, entry in known.items() if entry.objtype == "module"}
    lent = {name: known[origin] for name, origin in reexported(Path(app.srcdir)).items() if origin in known}
    for path in out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if BLOCK.search(text):
            up = os.path.relpath(out, path.parent)
            addresses = {name: f"{up}/{entry.docname}.html#{entry.node_id}"
                         for name, entry in (lent | known).items()}
            path.write_text(link(text, addresses, modules), encoding="utf-8")


def setup(app):
    """Connect."""
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
