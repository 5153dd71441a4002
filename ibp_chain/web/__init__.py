"""What people look at: a read-only API and pages over a ledger database. See docs/web.md."""
