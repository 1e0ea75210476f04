"""Run ``python -m lib.report audit.json page.html``: the page of an audit (layer 6)."""

from lib.report.audit_page import main

raise SystemExit(main())
