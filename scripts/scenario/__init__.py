"""The whole programme played on the test chain, act by act; see docs/devnet.md.

* cast: who takes part, from the programme's real member file
* stage: the chain to play on: send calls, make blocks, let days pass
* founding, governance, scoring, payday: the acts
* play: all of them in order
"""
