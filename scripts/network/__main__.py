"""See `scripts.network.main`."""

from scripts.network.main import main

main()
