"""A ledger that is followed while everything goes wrong: see docs/indexer.md."""
