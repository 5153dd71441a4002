"""State machines that keep what a pallet keeps, one module per pallet, named as in FRAME."""
