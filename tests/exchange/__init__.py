"""The exchange port: the contract, its fake, and the `httpx` adapter."""
