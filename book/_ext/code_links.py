"""Names of the library inside code become links to the reference.

A page is read as a program: what one block imports, the blocks below it know. Works on a page as it is about
to be written, because only there the code has its colours.
"""

import ast
import html
import re
from pathlib import Path

from api_reference import borrowed, reexported

BLOCK = re.compile(r'(<div class="highlight-(?:ipython3|python) notranslate"><div class="highlight"><pre>)'
                   r"(.*?)(</pre>)", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
CHAIN = re.compile(r'<span class="n">(\w+)</span>((?:<span class="o">\.</span><span class="n">\w+</span>)*)'
                   r'(?!<span class="o">=</span>)')           # not the name of an argument
PART = re.compile(r'<span class="o">\.</span><span class="n">\w+</span>')


def imported(code: str) -> dict[str, str]:
    """Return the names that a block imports, with the full name of each."""
    try:
        return borrowed(list(ast.walk(ast.parse(code))))
    except SyntaxError:              # a fragment
        return {}


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
        return match[1] + CHAIN.sub(in_chain, match[2]) + match[3]

    return BLOCK.sub(in_block, page)


def link_code(app, pagename, templatename, context, doctree):
    """Link the code of a page."""
    if app.builder.name != "html" or not BLOCK.search(context.get("body", "")):
        return
    known = app.env.get_domain("py").objects
    lent = {name: known[origin] for name, origin in reexported(Path(app.srcdir)).items() if origin in known}
    addresses = {name: f"{app.builder.get_relative_uri(pagename, entry.docname)}#{entry.node_id}"
                 for name, entry in (lent | known).items()}
    modules = {name for name, entry in known.items() if entry.objtype == "module"}
    context["body"] = link(context["body"], addresses, modules)


def setup(app):
    """Connect."""
    app.connect("html-page-context", link_code)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
