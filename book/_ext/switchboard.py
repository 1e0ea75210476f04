"""Directive `{switchboard}`: the leaks of the evidence lab, and what each adds with nothing to find.

Without a script the page shows all of them; `_static/companion.js` turns each into a switch to flip.
"""

import html
import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from stamps import texts_in

from lib.typography import minus

PROTOCOLS = {"P2": "whole earthquakes held out (P2)", "P0": "random folds (P0)"}
LENGTH, HEIGHT, LOW, HIGH = 220, 22, -0.1, 0.6      # of a bar: pixels, and balanced accuracy added


class Switchboard(SphinxDirective):
    """What each switch of `lib.confounders` adds: of the committed full run, else of the light one."""

    def run(self):
        """Return the list of switches."""
        results = Path(self.env.srcdir) / "results"
        places = [results / kind / "07_evidence_lab.json" for kind in ("full", "light")]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise self.error(f"switchboard: neither {places[0]} nor {places[1]} is there: make notebooks")
        self.env.note_dependency(str(path))
        effects = json.loads(path.read_text(encoding="utf-8"))["switches"]
        module = Path(self.env.srcdir) / "lib" / "confounders.py"
        titles, meanings = (texts_in(module, name) for name in ("NAMES", "SWITCHES"))
        names = sorted({key.split(", ")[0] for key in effects}, key=list(titles).index)
        worlds = min(effect["n_worlds"] for effect in effects.values())
        items = "".join(_switch(titles[name], meanings[name], {p: effects[f"{name}, {p}"] for p in PROTOCOLS})
                        for name in names)
        note = (f"Each leak was planted alone, in {worlds:.0f} synthetic worlds with nothing to find (run of "
                f"profile {path.parent.name}); combinations were not run. Bars: balanced accuracy added to a "
                "random forest that tells event windows from quiet ones; lines: 95 % interval over worlds. "
                "Chance is 0.50, so about 0.50 is the most that can be added.")
        return [nodes.raw("", '<div class="switchboard" role="group" aria-label="Switchboard of leaks">'
                              '<p class="switchboard-say" aria-live="polite" hidden></p>'
                              f'<ul>{items}</ul><p class="switchboard-note">{html.escape(note)}</p></div>',
                          format="html")]


def _switch(title, what, effects):
    """One leak: its name, what it is, and a bar for each protocol."""
    title, what = html.escape(title), html.escape(what)
    bars = "".join(f"<div><dt>{html.escape(words)}</dt><dd>{_bar(effects[p])} {_words(effects[p])}</dd></div>"
                   for p, words in PROTOCOLS.items())
    say = (f"{title}: adds {_signed(effects['P2']['added'])} where whole earthquakes are held out, "
           f"{_signed(effects['P0']['added'])} under random folds. There was nothing to find.")
    head = f"<strong>{title}</strong><small>{what}</small>"
    return (f'<li data-say="{say}"><div class="switch-head">{head}</div>'
            f'<dl class="switch-effects">{bars}</dl></li>')


def _signed(value):
    """Two decimals with a sign."""
    return minus(f"{value:+.2f}")


def _words(effect):
    """Write the number and its interval."""
    low, high = _signed(effect["low"]), _signed(effect["high"])
    return f'<span class="switch-value">{_signed(effect["added"])} <small>({low} to {high})</small></span>'


def _bar(effect):
    """SVG of one bar with its interval; the text beside it says the same."""
    def x(value):
        return round((min(max(value, LOW), HIGH) - LOW) / (HIGH - LOW) * LENGTH, 1)

    zero, end = x(0), x(effect["added"])
    left, right = x(effect["low"]), x(effect["high"])
    width = round(abs(end - zero), 1)
    return (f'<svg viewBox="0 0 {LENGTH} {HEIGHT}" width="{LENGTH}" height="{HEIGHT}" aria-hidden="true" '
            f'focusable="false"><line class="axis" x1="{zero}" x2="{zero}" y1="0" y2="{HEIGHT}"/>'
            f'<rect class="bar" x="{min(zero, end)}" y="5" width="{width}" height="{HEIGHT - 10}"/>'
            f'<line class="interval" x1="{left}" x2="{right}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}"/></svg>')


def setup(app):
    """Register the directive."""
    app.add_directive("switchboard", Switchboard)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
