# The same environment as `make book`: the hashed lock, nothing else. The image was not built where this was written.
#   docker build -t precursors .
#   docker run --rm -v "$PWD/site:/compendium/_build" precursors
FROM python:3.11-slim-bookworm
ARG BROWSER=no
RUN apt-get update \
    && apt-get install -y --no-install-recommends make git \
    && if [ "$BROWSER" = yes ]; then apt-get install -y --no-install-recommends chromium nodejs npm; fi \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home reader && install -d -o reader -g reader /compendium
USER reader
WORKDIR /compendium
# the environment first: it changes less often than the text
COPY --chown=reader Makefile pyproject.toml ./
COPY --chown=reader requirements requirements
RUN make .venv/.ready
COPY --chown=reader . .
CMD ["make", "book"]
