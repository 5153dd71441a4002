"""The programme's rules as data, and pure functions that apply them."""
