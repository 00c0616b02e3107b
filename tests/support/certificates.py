"""A certificate authority that nobody knows, and what it has signed."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


class Certificates:
    """Files in a folder.

    Attributes:
        ca: The authority's certificate.
        stranger: The certificate of another authority.
        server: Certificate and key of this machine.
        client: Certificate and key of a client.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.stranger = folder / "stranger.pem"
        trustme.CA().cert_pem.write_to_path(self.stranger)
        self.ca = folder / "ca.pem"
        self.server = folder / "server.pem"
        self.client = folder / "client.pem"
        self._ca.cert_pem.write_to_path(self.ca)
        signed = self._ca.issue_cert("127.0.0.1", "localhost")
        signed.private_key_and_cert_chain_pem.write_to_path(self.server)
        signed = self._ca.issue_cert("client@cogent.test")
        signed.private_key_and_cert_chain_pem.write_to_path(self.client)

    def of(self, host: str, expires: datetime | None = None) -> Path:
        """Give certificate and key of another server."""
        path = self._folder / f"{host}-{expires is not None}.pem"
        before = None if expires is None else expires - timedelta(days=1)
        signed = self._ca.issue_cert(host, not_before=before, not_after=expires)
        signed.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def for_server(self, server: Path | None = None, *, ask_client: bool = False) -> ssl.SSLContext:
        """Make a server's context, which may demand a client's certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(server or self.server)
        context.verify_mode = ssl.CERT_REQUIRED if ask_client else ssl.CERT_NONE
        return context
