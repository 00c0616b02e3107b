"""Which certificates are trusted, and which is shown."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from typing import Literal, TypeAlias

    Verify: TypeAlias = "ssl.SSLContext | str | os.PathLike[str] | Literal[True]"
    StrPath: TypeAlias = "str | os.PathLike[str]"
    Cert: TypeAlias = "StrPath | tuple[StrPath, StrPath] | tuple[StrPath, StrPath, str]"

__all__ = ("default_context", "given_context")


@cache
def default_context(http2: bool) -> ssl.SSLContext:
    """Load the certificate authorities once: it costs 20 ms and more each time.

    Each protocol has a context of its own, because it is written into it which may be used.
    """
    return _public()


def given_context(verify: Verify, cert: Cert | None) -> ssl.SSLContext | None:
    """Load what a caller gave; ``None`` stands for the shared default.

    Args:
        verify: Who vouches for a server; see `cogent.Client`.
        cert: The certificate to show.

    Raises:
        ConfigurationError: They cannot be used.
    """
    if verify is True and cert is None:
        return None
    import ssl

    if isinstance(verify, ssl.SSLContext):
        if cert is not None:
            raise ConfigurationError(
                "verify is an SSLContext: load cert into it, with its load_cert_chain()"
            )
        return verify
    if verify is True:
        context = _public()
    elif isinstance(verify, (str, os.PathLike)):
        context = _trusting(verify)
    else:
        raise ConfigurationError(
            f"verify must be a file or folder of CA certificates, or an ssl.SSLContext, and not "
            f"{verify!r}; to check nothing, make an SSLContext that does not"
        )
    if cert is not None:
        _load_cert(context, cert)
    return context


def _trusting(path: StrPath) -> ssl.SSLContext:
    import ssl

    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # an SSLError is one
        raise ConfigurationError(f"verify: no CA certificates in {str(path)!r}: {error}") from error


def _load_cert(context: ssl.SSLContext, cert: Cert) -> None:
    given = cert if isinstance(cert, tuple) else (cert,)
    chain, key = given[0], given[1] if len(given) > 1 else None
    # Without any password OpenSSL would ask for one on the terminal.
    password = given[2] if len(given) > 2 else ""
    try:
        context.load_cert_chain(chain, key, lambda: password)
    except OSError as error:
        raise ConfigurationError(
            "cert must be a file with certificate and key, (certificate, key), or "
            f"(certificate, key, password), in PEM: {error}"
        ) from error


def _public() -> ssl.SSLContext:
    """Trust the public authorities, or those of the environment, by the rules of ``httpx``."""
    import ssl

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        return ssl.create_default_context(cafile=file)
    if folder:
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
