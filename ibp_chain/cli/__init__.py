"""The `ibp` command; `app` wires it together."""
