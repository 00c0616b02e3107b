"""A certificate authority that nobody knows, and what it has signed."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Certificates:
    """Files in a folder.

    Attributes:
        ca: The authority's certificate.
        server: Certificate and key of this machine.
        client: Certificate and key of a client.
    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca = folder / "ca.pem"
        self.server = folder / "server.pem"
        self.client = folder / "client.pem"
        self._ca.cert_pem.write_to_path(self.ca)
        signed = self._ca.issue_cert("127.0.0.1", "localhost")
        signed.private_key_and_cert_chain_pem.write_to_path(self.server)
        signed = self._ca.issue_cert("client@cogent.test")
        signed.private_key_and_cert_chain_pem.write_to_path(self.client)

    def for_server(self, *, ask_client: bool = False) -> ssl.SSLContext:
        """Make a server's context, which may demand a client's certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(self.server)
        context.verify_mode = ssl.CERT_REQUIRED if ask_client else ssl.CERT_NONE
        return context
