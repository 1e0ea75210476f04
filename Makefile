# The front door. Needs only make and Python 3.11 to 3.13; everything else is installed into .venv.
#   make book                 run what is stale, build the site          PROFILE=light|smoke|full  DATA=folder  JOBS=2
#   make run NB=03_loeo_training P="-p folds 3 -p profile smoke" OUT=path.ipynb
#   make matrix NB=03_loeo_training MATRIX="profile=smoke snr=0,1,2 seed=1,2" OUT=folder
#   make fetch STATION=KAK FROM=2011-03-01 TO=2011-03-31 KIND=geomag|events|kp|dst|ionex DATA=folder

PYTHON  ?= python3
PROFILE ?= light
DATA    ?=
JOBS    ?= 2
OUT     ?=
P       ?=
MATRIX  ?=
KIND    ?= geomag
STATION ?=
FROM    ?=
TO      ?=
SITE    := _build/html/index.html

# what a shell may carry in that would change what is installed, imported or written
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX
unexport PIP_FIND_LINKS PIP_USER PIP_TARGET PIP_PREFIX PIP_CONSTRAINT PIP_REQUIREMENT UV_FIND_LINKS UV_CONSTRAINT
unexport JUPYTER_PATH JUPYTER_CONFIG_DIR MPLBACKEND PRECURSOR_OUT
export PYTHONHASHSEED := 0
export PYTHONWARNINGS := ignore:IProgress not found
export TQDM_DISABLE := 1
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help book notebooks site run matrix fetch test test-browser check bench lock pdf clean

help:                   ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

.venv/.ready: requirements/lock.txt requirements/uv.txt requirements/bootstrap.py
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo; \
	  echo "error: there is no '$(PYTHON)' here; the compendium needs Python 3.11, 3.12 or 3.13."; \
	  echo "Install one, or name it:  make book PYTHON=/path/of/python3.12"; echo; exit 1; }
	@"$(PYTHON)" requirements/bootstrap.py
	@touch $@

book: notebooks site    ## run stale notebooks, build the site into _build/html

notebooks: .venv/.ready ## run stale notebooks only (PROFILE=, DATA=, JOBS=)
	@mkdir -p _build
	@PRECURSOR_DATA= $(PY) -m doit -f dodo.py -n $(JOBS) "profile=$(PROFILE)" "data=$(DATA)"
	@$(PY) -m book.runner index
	@$(PY) -m book.metadata

site: .venv/.ready      ## build the site from the executed notebooks
	@rm -rf _build/html
	@$(PY) .venv/bin/jupyter-book build . -W -n --keep-going -q --all
	@echo "open $(SITE)"

run: .venv/.ready       ## run one notebook: NB=name P="-p folds 3" OUT=path.ipynb DATA=folder
	@test -n "$(NB)" || { echo "error: name a notebook:  make run NB=03_loeo_training P=\"-p profile smoke\""; exit 2; }
	@$(PY) -m book.runner run "$(NB)" $(P) $(if $(OUT),--out "$(OUT)") $(if $(DATA),--data "$(DATA)")

matrix: .venv/.ready    ## run one notebook with every combination: NB=name MATRIX="snr=0,1 seed=1,2" OUT=folder
	@test -n "$(NB)" -a -n "$(MATRIX)" || { echo "error: say which:  make matrix NB=03_loeo_training MATRIX=\"profile=smoke snr=0,1,2\""; exit 2; }
	@$(PY) -m book.matrix "$(NB)" "$(MATRIX)" --jobs "$(JOBS)" $(if $(OUT),--out "$(OUT)") $(if $(DATA),--data "$(DATA)")

fetch: .venv/.ready     ## open data into DATA=folder: STATION=KAK FROM=2011-03-01 TO=2011-03-31 KIND=geomag
	@test -n "$(FROM)" -a -n "$(TO)" || { echo "error: name the days:  make fetch STATION=KAK FROM=2011-03-01 TO=2011-03-31"; exit 2; }
	@$(PY) -m lib.earth.fetch --kind "$(KIND)" $(if $(STATION),--station "$(STATION)") --from "$(FROM)" --to "$(TO)" \
	  --out "$(or $(DATA),data)" $(P)

test: .venv/.ready      ## every test; real records too if DATA= or PRECURSOR_DATA names their folder
	@$(if $(DATA),PRECURSOR_DATA="$(DATA)" )OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -m "not browser"

test-browser: book      ## every page of the site in Chromium: accessible, whole, quiet; writes results/site.json
	@command -v npm >/dev/null && npm ci --prefix tests/browser --silent || echo "npm or its packages are missing: the browser tests will be skipped"
	@$(PY) -m pytest -m browser -rs tests/test_browser.py

check: .venv/.ready     ## style, spelling and the fast tests, about a minute
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -m "not slow and not real and not browser"

bench: .venv/.ready     ## ratios against what a user would pick instead, into results/bench.json
	@$(PY) -m benchmarks

lock: .venv/.ready      ## resolve pyproject.toml again: lock.txt, uv.txt, environment.yml
	@.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements/lock.txt
	@echo uv | .venv/bin/uv pip compile - --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements/uv.txt
	@$(PY) requirements/environment.py

pdf: notebooks          ## one PDF of the book, where a Chromium is installed
	@$(PY) .venv/bin/jupyter-book build . --builder singlehtml -W -n --keep-going -q --all
	@browser=$$(command -v chromium || command -v chromium-browser || command -v google-chrome) || \
	  { echo "no Chromium on PATH: the single page is _build/singlehtml/index.html"; exit 0; }; \
	  "$$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run \
	  --virtual-time-budget=15000 --no-pdf-header-footer --generate-pdf-document-outline \
	  --print-to-pdf=_build/book.pdf "file://$$PWD/_build/singlehtml/index.html" 2>/dev/null; echo "_build/book.pdf"

clean:                  ## remove what the build made, keep the environment
	rm -rf _build book/notebooks
