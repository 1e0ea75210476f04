"""``python -m lib.forensics``: see `lib.forensics.cli`."""

from lib.forensics.cli import main

raise SystemExit(main())
