"""A test network: oracle daemons, members' endpoints and a chain, whose days pass in minutes."""
