"""Directive `{cite-this}`: the citation of this compendium, made from CITATION.cff."""

from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

NEEDED = ("title", "authors", "version", "type")


class CiteThis(SphinxDirective):
    """A sentence to cite and an entry for BibTeX, with the commit of this site."""

    def run(self):
        """Return both."""
        path = Path(self.env.srcdir) / "CITATION.cff"
        self.env.note_dependency(str(path))
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
        missing = [key for key in NEEDED if key not in record]
        if missing:
            raise self.error(f"CITATION.cff: no field {', '.join(missing)}; "
                             f"a citation needs {', '.join(NEEDED)}")
        commit = self.config.companion_commit
        return [nodes.paragraph("", sentence(record, commit)),
                nodes.literal_block("", bibtex(record, commit), language="bibtex")]


def names(record: dict) -> list[str]:
    """Return the authors as a reader writes them."""
    return [author.get("name") or f"{author['given-names']} {author['family-names']}"
            for author in record["authors"]]


def _year(record):
    """Year of the release, if the record names one."""
    return str(record["date-released"])[:4] if "date-released" in record else ""


def sentence(record: dict, commit: str) -> str:
    """Return a plain citation."""
    dated = f" ({_year(record)})" if _year(record) else ""
    address = record.get("doi") and f" https://doi.org/{record['doi']}." or ""
    return (f"{', '.join(names(record))}{dated}. {record['title']}. Version {record['version']}, "
            f"commit {commit}. Software.{address}")


def bibtex(record: dict, commit: str) -> str:
    """Return an entry for BibTeX; authors that are groups stay whole in braces."""
    people = " and ".join(f"{{{name}}}" if "name" in author else name
                          for author, name in zip(record["authors"], names(record), strict=True))
    fields = {"author": people, "title": f"{{{record['title']}}}", "year": _year(record),
              "version": str(record["version"]), "note": f"Commit {commit}", "doi": record.get("doi", "")}
    width = max(map(len, fields))
    lines = [f"  {key:<{width}} = {{{value}}}," for key, value in fields.items() if value]
    return "\n".join(["@software{precursor_compendium,", *lines, "}"])


def setup(app):
    """Register the directive."""
    app.add_directive("cite-this", CiteThis)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
