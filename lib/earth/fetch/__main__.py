"""Run ``python -m lib.earth.fetch --help``."""

from lib.earth.fetch.cli import main

raise SystemExit(main())
