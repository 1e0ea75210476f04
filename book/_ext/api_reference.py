"""The library reference: docstrings of `lib`, and links to them from pages and from one another.

The files are read, not imported: with autodoc the site took twice as long to build. Docstrings go through
napoleon, as they would there.

Names in single backticks of a docstring, and literals such as ``lib.stft.spectrogram`` on any page, are links
where the reference has the object. A literal that begins with ``lib.`` and names nothing fails the build.
"""

import ast
import copy
import functools
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.ext.napoleon import Config, NumpyDocstring
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, switch_source_input
from sphinx.util.nodes import nested_parse_with_titles

LOG = logging.getLogger(__name__)
NAME = re.compile(r"lib(?:\.\w+)+$")
TICKED = re.compile(r"`[^`\n]+`")
NAPOLEON = Config(napoleon_google_docstring=False, napoleon_use_param=False, napoleon_use_rtype=False)
LAYER = re.compile(r" \((?:layer|above layer)[^)]*\)")


@functools.lru_cache(maxsize=4)
def modules(root: Path) -> dict[str, Path]:
    """Return the dotted name and file of every module of the library that can be imported without running."""
    found = {}
    for path in sorted((root / "lib").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] != "__main__":
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


@functools.lru_cache(maxsize=512)
def _parse(path, size, mtime_ns):
    """Parse a file; size and time are there for the cache only."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _tree(path):
    """Return the syntax tree of a file, parsed once."""
    stat = path.stat()
    return _parse(path, stat.st_size, stat.st_mtime_ns)


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring, its layer left out."""
    text = ast.get_docstring(_tree(path)) or ""
    return LAYER.sub("", text.split("\n")[0]).replace("?.", "?")


class ModuleList(SphinxDirective):
    """`{module-list} lib.stft lib.cwt`: one line a module, with a link; all of `lib` without arguments."""

    optional_arguments, final_argument_whitespace = 1, True

    def run(self):
        """Return a definition list."""
        known = modules(Path(self.env.srcdir))
        wanted = self.arguments[0].split() if self.arguments else list(known)
        unknown = sorted(set(wanted) - set(known))
        if unknown:
            raise self.error(f"module-list: the library has no module {', '.join(unknown)}")
        listing = nodes.definition_list()
        for name in wanted:
            link = addnodes.pending_xref(
                "", nodes.literal(name, name), refdomain="py", reftype="mod", reftarget=name,
                refexplicit=True, refdoc=self.env.docname, refwarn=True)
            words = self.state.inline_text(first_line(known[name]), self.lineno)[0]
            listing += nodes.definition_list_item("", nodes.term("", "", link),
                                                  nodes.definition("", nodes.paragraph("", "", *words)))
        return [listing]


class ApiModule(SphinxDirective):
    """`.. api-module:: lib.stft`: its docstring and those of its public functions and classes, as text."""

    required_arguments = 1

    def run(self):
        """Return the nodes; nothing is imported."""
        name, root = self.arguments[0], Path(self.env.srcdir)
        path = modules(root).get(name)
        if path is None:
            raise self.error(f"api-module: the library has no module {name}")
        self.env.note_dependency(str(path))
        file = path.relative_to(root).as_posix()
        body, source = _tree(path), path.read_text(encoding="utf-8").split("\n")
        lines = [f".. py:module:: {name}", "", *_docstring(body, name), "",
                 f":download:`Source: {file} </{file}>`", ""]
        for node in body.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                lines += _entry(node, name, source)
        holder = nodes.section()
        holder.document = self.state.document
        text = StringList(lines, f"{file}, docstrings")
        with switch_source_input(self.state, text):
            nested_parse_with_titles(self.state, text, holder)
        return holder.children


def _entry(node, home, source):
    """Lines of one function or class, with the fields and public methods of a class."""
    if isinstance(node, ast.FunctionDef):
        head, inside = f".. py:function:: {node.name}{_signature(node)}", _docstring(node, home)
    else:
        methods = [m for m in node.body if isinstance(m, ast.FunctionDef)]
        made = next((m for m in methods if m.name == "__init__"), None)
        head = f".. py:class:: {node.name}{_signature(made, skip=1) if made else ''}"
        inside = [*_docstring(node, home), "", *_fields(node, source)]
        for method in methods:
            if not method.name.startswith("_"):
                kind = {getattr(d, "id", "") for d in method.decorator_list}
                plain = kind & {"property", "cached_property"}
                words = method.name + ("" if plain else _signature(method, skip="staticmethod" not in kind))
                inside += [f".. py:{'property' if plain else 'method'}:: {words}", "",
                           *("   " + line for line in _docstring(method, home)), ""]
    return [head, "", *("   " + line if line else "" for line in inside), ""]


def _signature(node, skip=0):
    """Write the arguments with their defaults; types stand in the docstring."""
    names = copy.deepcopy(node.args)
    for argument in (*names.posonlyargs, *names.args, *names.kwonlyargs, names.vararg, names.kwarg):
        if argument is not None:
            argument.annotation = None
    names.args = names.args[int(skip):]
    return f"({ast.unparse(names)})".replace("\\", "\\\\")


def _fields(node, source):
    """Bullets of a dataclass's fields: name, type, default, and the comment behind them."""
    lines = []
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and not field.target.id.startswith("_"):
            comment = source[field.end_lineno - 1][field.end_col_offset:].partition("#")[2].strip()
            said = f" – {_prose(comment)}" if comment else ""
            lines.append(f"- ``{' '.join(ast.unparse(field).split())}``{said}")
    return ["Fields:", "", *lines, ""] if lines else []


def _docstring(node, home):
    """Return a docstring as lines of reStructuredText."""
    lines = (ast.get_docstring(node) or "").split("\n")
    for i in [i for i, line in enumerate(lines) if line.startswith("When not to use")][::-1]:
        lines[i:i] = ["Notes", "-----"]         # a section of its own, or napoleon takes it for another error
    what = {ast.Module: "module", ast.ClassDef: "class"}.get(type(node), "function")
    lines, doctest = str(NumpyDocstring("\n".join(lines), NAPOLEON, what=what)).split("\n"), False
    for i, line in enumerate(lines):
        doctest = line.lstrip().startswith(">>>") or (doctest and bool(line.strip()))
        if not doctest and not line.lstrip().startswith(".. "):
            lines[i] = _prose(line, home)
    return lines


def _prose(line, home=""):
    """Make names in single backticks roles, and bars plain; what stands in double backticks stays."""
    parts = re.split(r"(``[^`]+``|:\w+:`[^`]+`|`[^`\n]+`_{0,2})", line)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = part.replace("|", "\\|")
        elif TICKED.fullmatch(part):
            glue = "\\ " if parts[i + 1][:1].isalnum() else ""        # as in `FitJob`s
            parts[i] = f":libname:`{home}|{part[1:-1]}`{glue}"
    return "".join(parts)


def libname(role, rawtext, text, lineno, inliner, options=None, content=()):
    """Role of a name in a docstring: code that remembers the module it was written in."""
    home, _, words = text.partition("|")
    return [nodes.literal(rawtext, words, home=home)], []


class LinkNames(SphinxPostTransform):
    """Link literals that name an object of the reference."""

    default_priority = 8

    def run(self, **kwargs):
        """Link each of them; a literal that begins with `lib.` has to name something."""
        known = self.env.get_domain("py").objects
        if not known:
            return
        for node in list(self.document.findall(nodes.literal)):
            if isinstance(node.parent, (nodes.reference, addnodes.pending_xref)) or "xref" in node["classes"]:
                continue
            words = node.astext().removesuffix("()")
            target = next((name for name in self._candidates(words, node.get("home")) if name in known), None)
            if target:
                self._link(node, target, known[target])
            elif NAME.match(words) and not self._below(words):
                LOG.warning("nothing in the library is called %s", words, location=node)

    def _candidates(self, words, home):
        """Full names that a literal may stand for."""
        if NAME.match(words) or words == "lib":
            yield words
        elif home and re.fullmatch(r"[\w.]+", words):
            yield f"{home}.{words}"
            yield f"{home.rsplit('.', 1)[0]}.{words}"

    def _below(self, words):
        """Say whether a name is, or lies below, something that a module defines without an entry here."""
        parts, defined = words.split("."), _defined(Path(self.env.srcdir))
        return any(".".join(parts[:i]) in defined for i in range(2, len(parts) + 1))

    def _link(self, node, target, entry):
        """Put the literal inside a link."""
        single = self.app.builder.name == "singlehtml"
        page = "" if single else self.app.builder.get_relative_uri(self.env.docname, entry.docname)
        link = nodes.reference("", "", internal=True, refuri=f"{page}#{entry.node_id}", classes=["api"])
        node.replace_self(link)
        link += node


@functools.lru_cache(maxsize=4)
def _defined(root):
    """Return the full names of everything that the modules define at their top level, data included."""
    found = set()
    for module, path in modules(root).items():
        for node in _tree(path).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = [getattr(node, "name", None), *(getattr(t, "id", None) for t in targets),
                     *borrowed([node])]
            found |= {f"{module}.{name}" for name in names if name}
    return found


def borrowed(body: list[ast.stmt]) -> dict[str, str]:
    """Return the names that statements import from modules, with the full name of each."""
    return {alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}


@functools.lru_cache(maxsize=4)
def reexported(root: Path) -> dict[str, str]:
    """Return the names that a module lends from another, as `lib.report.table`, and their origin."""
    return {f"{module}.{name}": origin for module, path in modules(root).items()
            for name, origin in borrowed(_tree(path).body).items()}


def setup(app):
    """Connect everything."""
    app.add_directive("module-list", ModuleList)
    app.add_directive("api-module", ApiModule)
    app.add_role("libname", libname)
    app.add_post_transform(LinkNames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
