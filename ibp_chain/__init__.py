"""The chain room: the only door to the network, to keys and to bytes.

It knows nothing of members, scores or payouts; see `ledger`, `oracles` and `multisig` for those.
"""
