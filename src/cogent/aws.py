"""Signing requests to AWS with its Signature Version 4; needs the extra ``bedrock``.

::

    from cogent import Model
    from cogent.aws import SigV4

    model = Model("bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0", auth=SigV4())

Without the extra, a Bedrock API key in ``AWS_BEARER_TOKEN_BEDROCK`` needs no signature.
"""

from __future__ import annotations

import re
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from anyio import to_thread

from .errors import ConfigurationError
from .providers.addresses import aws_region

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .exchange import Call

__all__ = ("AWSCredentials", "SigV4")

_REGION = re.compile(r"(?:^|\.)bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


class AWSCredentials(Protocol):
    """What botocore calls credentials; ``botocore.credentials.Credentials`` is one kind."""

    def get_frozen_credentials(self) -> object:
        """Give the key, the secret and the token of this moment; may block to renew them."""
        ...


class SigV4:
    """Signs each request; an `Auth` for ``Model(auth=...)``.

    All work is done in a worker thread, since finding and renewing credentials reads files and
    asks servers. Cancelling leaves the thread to its end.

    Args:
        region: The region to sign for. By default the one that the address names, then
            ``AWS_REGION``, then ``AWS_DEFAULT_REGION``.
        credentials: botocore's. By default they are looked for where AWS's own tools look
            (environment, profiles, single sign-on, the machine's role), at the first request.
        service: The name to sign for.

    Raises:
        ConfigurationError: botocore is not installed.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        credentials: AWSCredentials | None = None,
        service: str = "bedrock",
    ) -> None:
        if find_spec("botocore") is None:
            raise ConfigurationError("SigV4 needs botocore: pip install 'cogent-stream[bedrock]'")
        self._region = region
        self._given = credentials
        self._found: AWSCredentials | None = None
        self._service = service

    async def __call__(self, call: Call, *, rejected: bool) -> Mapping[str, str]:
        """Give the headers that sign a request.

        Raises:
            ConfigurationError: There are no credentials, or no region is known.
        """
        sign = partial(self._sign, call, rejected=rejected)
        return await to_thread.run_sync(sign, abandon_on_cancel=True)

    def _sign(self, call: Call, *, rejected: bool) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        region = self._region_of(call.url)
        credentials = self._credentials(renewed=rejected).get_frozen_credentials()
        # Only what nothing on the way changes is signed. The host is added.
        signed = {
            name: value
            for name, value in call.headers.items()
            if name == "content-type" or name.startswith("x-amz-")
        }
        request = AWSRequest(method="POST", url=call.url, data=call.body, headers=signed)
        SigV4Auth(credentials, self._service, region).add_auth(request)
        return {name.lower(): str(value) for name, value in request.headers.items()}

    def _region_of(self, url: str) -> str:
        named = _REGION.search(urlsplit(url).hostname or "")
        region = self._region or (named and named[1])
        region = region or aws_region()
        if not region:
            raise ConfigurationError("no AWS region to sign for: set AWS_REGION, or give region=")
        return region

    def _credentials(self, *, renewed: bool) -> AWSCredentials:
        if self._given is not None:
            return self._given
        if self._found is None or renewed:
            from botocore.session import Session

            self._found = Session().get_credentials()
        if self._found is None:
            raise ConfigurationError(
                "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "or AWS_PROFILE, or give credentials="
            )
        return self._found
