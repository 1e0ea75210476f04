"""What every page needs beyond Jupyter Book: a footer that says what it shows, MathJax, no remote request.

Loaded through `sphinx.local_extensions`, as are its neighbours: `provenance` (from a number to its cell),
`numbered_tables`, `figure_index`, `status_tables`, `switchboard`, `register_tables`, `parameter_tables`.
"""

import functools
import html
import importlib.metadata
import os
import re
import shutil
import tomllib
from pathlib import Path

import pybtex.plugin
from sphinx.errors import ExtensionError
from stamps import commit, docnames, stamp

from lib.typography import minus

# a plugin is looked for once, not again for each citation among all packages installed: seconds of a build
pybtex.plugin._load_entry_point = functools.lru_cache(maxsize=None)(pybtex.plugin._load_entry_point)
HERO = "03_loeo_training-cuts.png"       # what a link to the site shows where links have pictures
PASTED = re.compile(r'<span class="pasted-text">[^<]*</span>')


def _joined(values):
    return " and ".join(sorted(set(values))) or "none"


# --- every page: version, commit, profile -------------------------------------------------------------------

def configure(app, config):
    """Say on every page what it shows; switch on what needs a public address if there is one."""
    root = Path(app.srcdir)
    version = "unreleased"
    if (root / "pyproject.toml").is_file():
        version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    stamps = [stamp(root, name) for name in docnames(root)]
    config.companion_commit = commit(root)
    profile = _joined(s["parameters"].get("profile", "light") for s in stamps)
    kinds = ", ".join(sorted({kind for s in stamps for kind in s["data"].split(" and ")}, reverse=True))
    config.html_theme_options["extra_footer"] = (
        f'<p class="companion-footer">Version {html.escape(version)}, commit {config.companion_commit}. '
        f'Profile: {profile}. Data: {kinds}. '
        "Code under MIT, text and figures under CC BY 4.0.</p>")
    if repository := os.environ.get("COMPANION_REPO"):
        config.html_theme_options.update(repository_url=repository, use_repository_button=True,
                                         use_issues_button=True)
    if site := os.environ.get("COMPANION_SITE"):
        address = config.html_baseurl = config.ogp_site_url = site.rstrip("/") + "/"
        config.ogp_image, config.ogp_social_cards = f"{address}_images/{HERO}", {"enable": False}
        config.sitemap_url_scheme = "{link}"
        config.sitemap_excludes = ["search.html", "genindex.html", "404.html"]


# --- after the build: nothing remote, nothing unused, accessible --------------------------------------------

# pattern, replacement; each must be found somewhere, or a newer theme has switched the repair off
REPAIRS = (
    (r'<link rel="preload" as="font"[^>]*>', ""),     # from disk it is refused; the style sheet's is not
    (r'<script src="[^"]*fontawesome/[^"]*all\.min\.js[^"]*"></script>', ""),   # its icons come from the CSS
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),    # its visible label is its name
    (r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1"),
    (r'(<div id="jb-print-docs-body"[^>]*>\s*)<h1>(.*?)</h1>', r'\1<p class="h1">\2</p>'),   # a second title
    (r'role="doc-biblioentry"', 'role="listitem"'),
    (r'(<summary)(><span class="toctree-toggle")', r'\1 aria-label="Pages below this one"\2'),   # had no name
    (r'<div class="bd-sidebar-primary bd-sidebar',
     '<div role="complementary" aria-label="Book sidebar" class="bd-sidebar-primary bd-sidebar'),
)

# every browser takes the woff2 beside a ttf; of FontAwesome no brand is used
UNUSED = ("_static/**/*.map", "_static/**/fontawesome/**/all.min.js", "_static/**/webfonts/*.ttf",
          "_static/**/webfonts/fa-brands-*", "_static/locales/**/*.[mp]o")


def finish(app, exception):
    """Copy MathJax and the sources beside the pages, and repair what the theme gets wrong."""
    if exception or app.builder.format != "html":
        return
    out, root = Path(app.outdir), Path(app.srcdir)
    _copy_mathjax(out / "_static" / "mathjax")
    (out / "_downloads" / "notebooks").mkdir(parents=True, exist_ok=True)
    for source in (root / "notebooks").glob("*.py"):
        shutil.copy(source, out / "_downloads" / "notebooks")
    for pattern in UNUSED:
        for unused in out.glob(pattern):
            unused.unlink()
    hits = [0] * len(REPAIRS)
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for i, (pattern, replacement) in enumerate(REPAIRS):
            text, n = re.subn(pattern, replacement, text)
            hits[i] += n
        text = PASTED.sub(lambda pasted: minus(pasted[0]), text)
        page.write_text(text, encoding="utf-8")
    lost = [pattern for (pattern, _), n in zip(REPAIRS, hits, strict=True) if not n]
    if lost and app.builder.name == "html":
        raise ExtensionError(f"the theme has changed: nothing to repair for {lost}")


def _copy_mathjax(target):
    """Copy MathJax and its fonts from the wheel that carries them."""
    files = importlib.metadata.distribution("sphinx-mathjax-offline")
    script = next(f for f in files.files if f.name == "tex-chtml.js")
    home = Path(files.locate_file(script)).parent
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    (target / fonts).mkdir(parents=True, exist_ok=True)
    shutil.copy(home / "tex-chtml.js", target)
    for font in (home / fonts).iterdir():
        shutil.copy(font, target / fonts)
    notice = "MathJax 3, https://www.mathjax.org, Apache License 2.0\n"
    (target / "NOTICE").write_text(notice, encoding="utf-8")


def setup(app):
    """Connect everything."""
    app.add_config_value("companion_commit", "", "env")
    app.connect("config-inited", configure)
    app.connect("build-finished", finish)
    if os.environ.get("COMPANION_SITE"):
        for extension in ("sphinxext.opengraph", "sphinx_sitemap", "notfound.extension"):
            app.setup_extension(extension)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
