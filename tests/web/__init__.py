"""Web endpoints that stream an agent's answer, behind a real server."""
