"""Native VNC viewers' login by TLS, account name and password: VeNCrypt's X509Plain.

Source: the RFB protocol's community edition, sections "VeNCrypt", "VeNCrypt Plain
subtype" and "VeNCrypt X509Plain subtype"
(https://github.com/rfbproto/rfbproto/blob/master/rfbproto.rst).
"""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass

from imagekit.checks.rfb import RefusedError, RfbError
from imagekit.checks.transport import connect, secured
from imagekit.wait import Deadline

VENCRYPT = 19
TLS_PLAIN = 259
X509_PLAIN = 262

_VERSION = b"RFB 003.008\n"
_LONGEST_REASON = 4096


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers: its RFB security types, and VeNCrypt's subtypes among them."""

    types: tuple[int, ...]
    subtypes: tuple[int, ...]


def login(address: tuple[str, int], user: str, password: str, deadline: Deadline) -> Offer:
    """Log in by X509Plain, whatever the certificate, and leave.

    Raises:
        RefusedError: name or password are wrong.
        RfbError: the server does not offer this way, lets nobody in now, or does not keep to
            the protocol.
        EOFError: it closed the connection.
        OSError: it cannot be reached, or TLS does not come about.
    """
    plain = connect(address, deadline)
    try:
        plain.settimeout(deadline.timeout())
        offer = _negotiate(plain)
        if X509_PLAIN not in offer.subtypes:
            raise RfbError(f"no X509Plain among VeNCrypt's subtypes {offer.subtypes}")
        plain.sendall(struct.pack("!I", X509_PLAIN))
        if _read(plain, 1) != b"\1":
            raise RfbError("X509Plain was offered and not accepted")
        with secured(plain) as secure:
            _authenticate(secure, user.encode(), password.encode())
    finally:
        plain.close()
    return offer


def _negotiate(stream: socket.socket) -> Offer:
    banner = _read(stream, len(_VERSION))
    if banner != _VERSION:
        raise RfbError(f"{banner!r} where RFB 3.8 was due")
    stream.sendall(_VERSION)
    (count,) = _read(stream, 1)
    if count == 0:  # which says nothing of a name or a password
        raise RfbError(f"no security types: {_read_reason(stream)}")
    types = tuple(_read(stream, count))
    if VENCRYPT not in types:
        raise RfbError(f"no VeNCrypt among the security types {types}")
    stream.sendall(bytes([VENCRYPT]))
    _read(stream, 2)  # the highest version of VeNCrypt
    stream.sendall(b"\0\2")
    if _read(stream, 1) != b"\0":
        raise RfbError("VeNCrypt 0.2 was not accepted")
    (count,) = _read(stream, 1)
    return Offer(types, struct.unpack(f"!{count}I", _read(stream, 4 * count)))


def _authenticate(stream: ssl.SSLSocket, user: bytes, password: bytes) -> None:
    stream.sendall(struct.pack("!II", len(user), len(password)) + user + password)
    (result,) = struct.unpack("!I", _read(stream, 4))
    if result != 0:
        raise RefusedError(_read_reason(stream))


def _read_reason(stream: socket.socket) -> str:
    (length,) = struct.unpack("!I", _read(stream, 4))
    return _read(stream, min(length, _LONGEST_REASON)).decode(errors="replace")


def _read(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            raise EOFError("the connection was closed")
        data += piece
    return data
