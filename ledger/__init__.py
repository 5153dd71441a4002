"""What the chain means: mirrored pallets, the programme's own pallets, and their storage."""
