"""What the API and the pages ask: pure, from a snapshot to models."""
