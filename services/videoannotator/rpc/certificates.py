"""TLS for gRPC over TCP: the certificates of a folder, read again when they change."""

import ssl
from pathlib import Path
from typing import Any

import grpc

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import RpcSettings, variable
from videoannotator.telemetry import get_logger

CERTIFICATE = "tls.crt"
KEY = "tls.key"
AUTHORITY = "ca.crt"
SETTING = "rpc.certificate_folder"

#: What the library says of a connection that TLS refused; it has no code for it.
REFUSED = ("handshake failed", "verification check failed")

log = get_logger(__name__)

Pair = tuple[bytes, bytes]


class Certificates:
    """A server's certificate and key, and the authority that signed those of the others.

    A mounted Secret is replaced before it runs out: servers look at each handshake, clients at
    each new channel.
    """

    def __init__(self, folder: Path, server_name: str = "") -> None:
        """`server_name` is what dialled certificates are for; empty: the host in the address.

        Raises: InvalidSetting when a file is missing or they do not belong together.
        """
        self._folder = folder
        self.server_name = server_name
        self._check()
        self._pair = self._read_pair()

    def _check(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
            context.load_verify_locations(self._folder / AUTHORITY)
        except OSError as error:  # of which SSLError is one
            name = variable(SETTING)
            raise InvalidSetting(
                f"{name} has a value '{self._folder}' that is not allowed. Allowed: a folder with "
                f"{CERTIFICATE}, {KEY} and {AUTHORITY}, all PEM, the key being the certificate's.",
                hint=f"What is wrong: {error.strerror or error}.",
                field=name,
            ) from error

    def _read_pair(self) -> Pair:
        return (self._folder / KEY).read_bytes(), (self._folder / CERTIFICATE).read_bytes()

    def for_server(self) -> grpc.ServerCredentials:
        """What a server shows; a replaced certificate is taken at the next handshake."""
        renewed: Any = self._renewed  # None is missing in the library's types
        return grpc.dynamic_ssl_server_credentials(_shown(self._pair), renewed)

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The pair in the folder when it is another one; None keeps what is shown."""
        try:
            pair = self._read_pair()
            if pair == self._pair:
                return None
            self._check()
        except (OSError, InvalidSetting) as error:
            log.warning("certificate_kept", reason=str(error))
            return None
        self._pair = pair
        log.info("certificate_renewed")
        return _shown(pair)

    def for_client(self) -> grpc.ChannelCredentials:
        """What a client trusts: our authority and no other."""
        return grpc.ssl_channel_credentials((self._folder / AUTHORITY).read_bytes())


def _shown(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([pair])


def certificates_of(settings: RpcSettings) -> Certificates | None:
    """The certificates that are set; None: no TLS. Raises: InvalidSetting."""
    if settings.certificate_folder is None:
        return None
    return Certificates(settings.certificate_folder, settings.server_name)


def is_refusal(error: grpc.aio.AioRpcError) -> bool:
    """Whether a call failed because one side did not trust the other's certificate."""
    said = (error.details() or "").lower()
    return any(words in said for words in REFUSED)
