"""Readers of the programme's own files: `ibp-network/config`, as it really is."""
