"""Directives that show the register of claims and the REFORMS forms as tables.

`{claims}` reads book/claims.yml and results/light, `{reforms} convnext` reads book/reforms/convnext.yml,
`{reforms}` alone counts the answers of all forms. Filters are radio buttons and a style sheet, no script.
"""

import html
from collections import Counter
from itertools import product
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from stamps import table_html

from lib import register

BOTH = (("study", register.STUDIES), ("status", register.STATUSES))


def slug(text: str) -> str:
    """Return a word that may stand in an id or a class."""
    return text.replace(" ", "-")


def table(name: str, caption: str, heads: tuple, bodies: str, classes: str = "") -> nodes.raw:
    """Return a captioned table in the style of the register."""
    made = table_html(name, caption, heads, bodies, f"register {classes}".strip())
    return nodes.raw("", made, format="html")


class Claims(Directive):
    """The register, with a filter by study and by status."""

    def run(self):
        """Return the filter and the table."""
        env = self.state.document.settings.env
        root = Path(env.srcdir)
        claims = register.load_claims(root / "book" / "claims.yml")
        results = register.results_in(root / "results" / "light")
        for path in (root / "book" / "claims.yml", *(root / "results" / "light").glob("*.json")):
            env.note_dependency(str(path))
        rows = "".join(_claim(claim, results) for claim in claims)
        heads = ("claim", "printed", "computed here", "status, why, and what would settle it")
        return [nodes.raw("", _filter(claims), format="html"),
                table("claims", f"{len(claims)} claims of the four studies, with what was printed, what we "
                                "computed and what follows.", heads, f"<tbody>{rows}</tbody>", "claims")]


def _filter(claims):
    """Two groups of radio buttons; where they leave no row, a sentence says so."""
    groups = []
    for field, values in BOTH:
        count = Counter(getattr(claim, field) for claim in claims)
        choices = (("all", "all", len(claims)), *((v, slug(v), count[v]) for v in values))
        buttons = "".join(f'<label><input type="radio" name="claims-{field}" id="{field}-{key}"'
                          f'{" checked" * (key == "all")}> {text} ({n})</label>' for text, key, n in choices)
        groups.append(f"<fieldset><legend>{field}</legend>{buttons}</fieldset>")
    there = {(claim.study, claim.status) for claim in claims}
    hide = [f".bd-article:has(#{field}-{slug(v)}:checked) .claims tr.claim:not(.{field}-{slug(v)})"
            for field, values in BOTH for v in values]
    none = [f".bd-article:has(#study-{study}:checked):has(#status-{slug(status)}:checked) .claims-none"
            for study, status in product(*(values for _, values in BOTH)) if (study, status) not in there]
    style = f"{', '.join(hide)} {{ display: none; }} {', '.join(none)} {{ display: block; }}"
    return (f"<style>@media screen {{ {style} }}</style>"
            f'<div class="claims-filter" role="group" aria-label="Filter the claims">{"".join(groups)}'
            '<p class="claims-none" role="status">No claim of this study has this status.</p></div>')


def _claim(claim, results):
    """One row."""
    known = all(item["result"] in results for item in claim.computed)
    values = register.computed_values(claim, results) if known else {}
    computed = "".join(_computed(item, values) for item in claim.computed)
    rule = "; ".join(f"{left} {operator} {'the printed ' * (right in claim.printed)}{right}"
                     for left, operator, right in claim.rule)
    printed = "".join(f"<li>{html.escape(f'{name}: {text}')}</li>" for name, text in claim.printed.items())
    cells = (f"<ul>{printed}</ul>" if printed else "no number",
             (f"<ul>{computed}</ul>" if computed else "nothing")
             + f'<small class="test">checked by <code>{html.escape(claim.test)}</code></small>',
             f'<strong class="status">{html.escape(claim.status)}</strong>'
             + (f"<small>{html.escape(rule)}</small>" if rule else "")
             + f"<small><em>Would settle it:</em> {html.escape(claim.settle)}</small>")
    return (f'<tr class="claim study-{claim.study} status-{slug(claim.status)}" id="claim-{claim.id}">'
            f'<th scope="row"><q>{html.escape(claim.quote)}</q><small><code>{claim.study}</code>, '
            f"{html.escape(claim.place)}</small></th>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")


def _computed(item, values):
    """One computed value with its name, and its key as a link to the notebook's page."""
    if item["name"] not in values:
        text = "not run yet"
    else:
        value = values[item["name"]]
        several = value if isinstance(value, list) else [value]
        text = ", ".join(format(v, item["format"]) for v in several) or "none"
        text += f" {item['unit']}" if "unit" in item and several else ""
    title = html.escape(f"{item['result']}.json: {item['key']}")
    return (f'<li>{html.escape(item["name"])}: <a href="notebooks/{item["result"]}.html" title="{title}">'
            f"{html.escape(text)}</a></li>")


class Reforms(Directive):
    """One form, or, without argument, how often each answer was given in all of them."""

    optional_arguments = 1

    def run(self):
        """Return the table."""
        env = self.state.document.settings.env
        folder = Path(env.srcdir) / "book" / "reforms"
        names = self.arguments or [*register.STUDIES, "compendium"]
        for name in ("items", *names):
            env.note_dependency(str(folder / f"{name}.yml"))
        forms = {name: register.load_reforms(folder / f"{name}.yml") for name in names}
        return [_form(*forms[names[0]])] if self.arguments else [_overview(forms)]


def _form(modules, form):
    """One row an item, one body a module."""
    bodies = []
    for module, items in modules.items():
        rows = [f'<tr><th colspan="4" scope="rowgroup">{html.escape(module)}</th></tr>']
        for number, text in items.items():
            answer = form["items"][number]
            status = answer["status"]
            rows.append(f'<tr><th scope="row"><b>{number}</b> {html.escape(text)}</th>'
                        f'<td><strong class="answer {slug(status)}">{status}</strong></td>'
                        f"<td>{html.escape(answer['evidence'])}</td><td>{html.escape(answer['place'])}</td></tr>")
        bodies.append(f"<tbody>{''.join(rows)}</tbody>")
    caption = f"REFORMS form of {form['study']}. What we had: {form['seen']}"
    return table(f"reforms-{form['study']}", caption, ("item", "answer", "evidence", "place"),
                 "".join(bodies), "reforms")


def _overview(forms):
    """One row a form."""
    rows = []
    for name, (_, form) in forms.items():
        count = Counter(answer["status"] for answer in form["items"].values())
        rows.append(f'<tr><th scope="row">{name}</th>'
                    + "".join(f'<td class="num">{count[a]}</td>' for a in register.ANSWERS) + "</tr>")
    return table("reforms", "Answers to the 32 items of REFORMS, counted. An item answered outside the copy "
                            "available to us counts as absent.", ("form", *register.ANSWERS),
                 f"<tbody>{''.join(rows)}</tbody>")


def setup(app):
    """Add the directives and their style."""
    app.add_directive("claims", Claims)
    app.add_directive("reforms", Reforms)
    app.add_css_file("register.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
