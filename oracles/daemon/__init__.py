"""`ibp oracle run`: one oracle's whole day, every day, on its own."""
