"""Run ``python -m lib.audit --help``."""

from lib.audit.cli import main

raise SystemExit(main())
