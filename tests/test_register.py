import ast
import copy
import re
from html.parser import HTMLParser

import pytest
import yaml

from book._ext import register_tables
from lib import register
from lib.config import ROOT
from lib.files import InputError

PATH = ROOT / "book" / "claims.yml"
CLAIMS = register.load_claims(PATH)
SEEDS = ROOT.parent / "shared" / "seeds"
RESULTS = register.results_in(ROOT / "results" / "light")
FORMS = (*register.STUDIES, "compendium")
BROKEN = {"Â±": "±", "â‰ˆ": "≈", "Ã—": "×", "–": "-", "−": "-"}    # what a wrong encoding made of signs
every = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


def plain(text):
    """Text without marks of emphasis, with repaired signs and single spaces."""
    for wrong, right in BROKEN.items():
        text = text.replace(wrong, right)
    return " ".join(text.replace("*", "").split())


def results_of(claim):
    """Results behind a claim; the test is skipped while a notebook has not been run."""
    absent = {item["result"] for item in claim.computed} - set(RESULTS)
    if absent:
        pytest.skip(f"results/light/{min(absent)}.json does not exist yet: run its notebook")
    return RESULTS


def test_the_register_covers_the_four_studies_and_uses_every_status():
    assert 25 <= len(CLAIMS) <= 45
    assert {claim.study for claim in CLAIMS} == set(register.STUDIES)
    assert {claim.status for claim in CLAIMS} == set(register.STATUSES)


@every
def test_every_quote_occurs_in_its_source(claim):
    """Word for word, marks of emphasis and line ends apart."""
    if not SEEDS.is_dir():
        pytest.skip("the seeds are not beside this repository")
    text = plain((SEEDS / claim.source).read_text(encoding="utf-8"))
    assert plain(claim.quote) in text, claim.quote


@every
def test_every_printed_number_occurs_in_its_source(claim):
    if not SEEDS.is_dir():
        pytest.skip("the seeds are not beside this repository")
    text = plain((SEEDS / claim.source).read_text(encoding="utf-8")).replace(",", "")
    for printed in claim.printed.values():
        number = re.search(r"-?\d+(\.\d+)?", printed.replace(",", "")).group()
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d]|\.\d)", text), printed


@every
def test_every_status_follows_from_its_rule(claim):
    """The rule holds for the committed results; if not, the status has to be thought over."""
    assert register.failing(claim, results_of(claim)) == []


@every
def test_every_computed_value_exists_and_prints(claim):
    values = register.computed_values(claim, results_of(claim))
    for item in claim.computed:
        value = values[item["name"]]
        for v in value if isinstance(value, list) else [value]:
            assert format(v, item["format"]).strip()


@every
def test_every_claim_names_a_test_that_exists(claim):
    path, name = claim.test.split("::")
    if not (ROOT / path).is_file():
        pytest.skip(f"{path} does not exist yet")
    names = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
             if isinstance(node, ast.FunctionDef)}
    assert name in names


def test_a_changed_result_overturns_a_status():
    """The golden case: one hit more for the network, and the press release is no longer refused."""
    claim = next(c for c in CLAIMS if c.id == "convnext-press")
    results = copy.deepcopy(RESULTS)
    results["04_mcc_analysis"]["folds"]["magnitude"]["hits"] += 1
    assert len(register.failing(claim, results)) == 1
    claim = next(c for c in CLAIMS if c.id == "convnext-magnitude")
    results["04_mcc_analysis"]["folds"]["magnitude"]["mean"] = 97.535001
    assert "rounds to accuracy (97.53 %)" in register.failing(claim, results)[0]


@pytest.mark.parametrize(("left", "operator", "right", "holds"), [
    (97.525, "rounds to", "97.53", True), (97.535, "rounds to", "97.53", True),
    (97.5351, "rounds to", "97.53", False), (30965824, "rounds to", "30,965,824", True),
    (0.6953, "does not round to", "0.69", True), (3, "equals", 3, True), (0.1 + 0.2, "equals", 0.3, True),
    (2, "equals", 3, False), (1.5, "is above", 1.5, False), (1.5, "is at least", 1.5, True),
    (1, "is below", 2, True), ([8, 4], "equals", [8, 4], True), ([1, 2], "has length", 2, True),
    (0.5, "rounds to", "0,5000", True),
])
def test_operators(left, operator, right, holds):
    assert register.OPERATORS[operator](left, right) is holds


def test_a_missing_key_is_named():
    claim = next(c for c in CLAIMS if c.id == "convnext-press")
    results = copy.deepcopy(RESULTS)
    del results["04_mcc_analysis"]["folds"]["magnitude"]["hits"]
    with pytest.raises(InputError, match="04_mcc_analysis.*convnext-press.*folds.magnitude.hits"):
        register.failing(claim, results)


def change(field, value):
    """Return entries whose first has another value in one field; None removes the field."""
    entries = yaml.safe_load(PATH.read_text(encoding="utf-8"))[:2]
    if value is None:
        del entries[0][field]
    else:
        entries[0][field] = value
    return yaml.safe_dump(entries)


@pytest.mark.parametrize(("text", "words"), [
    ("- id: [unclosed", "line"), ("just text", "a list of claims"), ("[]", "a list of claims"),
    ("- 3", "entry 1"), (change("quote", None), "field quote"), (change("quote", " "), "field quote"),
    (change("settle", 3), "field settle"), (change("colour", "red"), "field colour"),
    (change("study", "fifth"), "convnext, crnn"), (change("status", "wrong"), "recomputed"),
    (change("printed", {"accuracy": 97.53}), r"printed\.accuracy"),
    (change("computed", [{"name": "x"}]), "field result"),
    (change("rule", [["nobody", "equals", 1]]), "field rule"), (change("rule", []), "agreement"),
    (change("rule", [["mean of ten folds", "is nice", 1]]), "is nice"),
    (change("rule", [["mean of ten folds", "rounds to", "nothing"]]), "nothing"),
    (change("id", "convnext-press"), "an id used once"),
])
def test_a_malformed_register_is_refused_with_file_entry_and_field(tmp_path, text, words):
    path = tmp_path / "claims.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"claims\.yml.*" + words):
        register.load_claims(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.yml"):
        register.load_claims(tmp_path / "none.yml")


def test_damaged_results_are_refused(tmp_path):
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.json, line 1"):
        register.results_in(tmp_path)


# --- REFORMS ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", FORMS)
def test_every_form_answers_the_32_items_of_the_8_modules(name):
    modules, form = register.load_reforms(ROOT / "book" / "reforms" / f"{name}.yml")
    assert [len(items) for items in modules.values()] == [3, 5, 7, 3, 6, 3, 3, 2]
    assert form["study"] == name and len(form["items"]) == 32
    assert [*form["items"]] == [number for items in modules.values() for number in items]


def test_our_own_form_names_files_and_chapters_that_exist():
    """Evidence for the compendium can be opened."""
    _, form = register.load_reforms(ROOT / "book" / "reforms" / "compendium.yml")
    chapters = {path.name[:2] for path in (ROOT / "notebooks").glob("*.py")}
    for number, item in form["items"].items():
        for path in re.findall(r"\b(?:book|lib|tests)/[\w/]+\.\w+|\bMakefile\b|\bdodo\.py\b", item["place"]):
            assert (ROOT / path).is_file(), f"{number}: {path}"
        named = re.findall(r"\b0\d\b|\b1\d\b", item["place"])
        assert set(named) <= chapters, number


@pytest.mark.parametrize(("edit", "words"), [
    (lambda items: items.pop("4b"), "field 4b"), (lambda items: items.update({"9z": {}}), "field 9z"),
    (lambda items: items["1a"].update(status="yes"), "item 1a, field status"),
    (lambda items: items["1a"].pop("evidence"), "item 1a, field evidence"),
])
def test_a_malformed_form_is_refused_with_file_item_and_field(tmp_path, edit, words):
    folder = ROOT / "book" / "reforms"
    (tmp_path / "items.yml").write_text((folder / "items.yml").read_text(encoding="utf-8"), encoding="utf-8")
    form = yaml.safe_load((folder / "tec.yml").read_text(encoding="utf-8"))
    edit(form["items"])
    (tmp_path / "tec.yml").write_text(yaml.safe_dump(form), encoding="utf-8")
    with pytest.raises(InputError, match=rf"tec\.yml, .*{words}"):
        register.load_reforms(tmp_path / "tec.yml")


# --- rendering ----------------------------------------------------------------------------------------------

class Tags(HTMLParser):
    """Start tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Keep it."""
        self.found.append((tag, dict(attributes)))

    def all(self, tag):
        """Return the attributes of every tag of this name."""
        return [attributes for name, attributes in self.found if name == tag]


def test_the_register_is_a_table_with_headers_and_a_filter_without_script():
    """Every header has a scope, every choice of the filter has its rule of style, nothing needs a script."""
    buttons = register_tables._filter(CLAIMS)
    rows = "".join(register_tables._claim(claim, RESULTS) for claim in CLAIMS)
    table = register_tables.table("claims", "A < B", ("claim",), f"<tbody>{rows}</tbody>")
    page = Tags(buttons + table.astext())
    assert not page.all("script") and all(th.get("scope") in ("col", "row") for th in page.all("th"))
    assert [tr["id"] for tr in page.all("tr") if "id" in tr] == [f"claim-{claim.id}" for claim in CLAIMS]
    assert len(page.all("label")) == len(page.all("input")) == 10 and len(page.all("legend")) == 2
    for choice in page.all("input"):
        if choice["id"].endswith("-all"):
            assert "checked" in choice
        else:
            rule = rf":has\(#{choice['id']}:checked\) \.claims tr\.claim:not\(\.{choice['id']}\)"
            assert len(re.findall(rule, buttons)) == 1
    assert page.all("div")[1]["aria-label"] == "A < B"


def test_values_not_run_yet_are_said_to_be_so():
    row = register_tables._claim(next(c for c in CLAIMS if c.id == "convnext-press"), {})
    assert row.count("not run yet") == 4


def test_a_form_is_a_table_with_a_body_for_each_module():
    modules, form = register.load_reforms(ROOT / "book" / "reforms" / "tec.yml")
    page = Tags(register_tables._form(modules, form).astext())
    assert len(page.all("tbody")) == 8 and len(page.all("caption")) == 1
    scopes = [th["scope"] for th in page.all("th")]
    assert (scopes.count("col"), scopes.count("rowgroup"), scopes.count("row")) == (4, 8, 32)
