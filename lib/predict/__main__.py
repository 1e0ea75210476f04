"""Run ``python -m lib.predict --help``."""

from lib.predict.cli import main

raise SystemExit(main())
