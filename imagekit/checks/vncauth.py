"""VNC authentication's answer to a challenge.

Source: RFC 6143, section 7.2.2 (https://www.rfc-editor.org/rfc/rfc6143#section-7.2.2):
DES in ECB mode with the password, cut or filled with zeros to 8 bytes, as the key; and
erratum 4951 (https://www.rfc-editor.org/errata/eid4951): each byte of the key has its
bits in reverse order.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, modes

try:  # moved there in cryptography 43; paramiko is content with older ones
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

CHALLENGE_BYTES = 16
PASSWORD_BYTES = 8
"""What follows in a password does not count."""


def respond(password: str, challenge: bytes) -> bytes:
    """The 16 bytes that prove that we know the password.

    Args:
        password: ASCII text; only its first 8 characters count.
        challenge: 16 bytes from the server.

    Raises:
        ValueError: the challenge has another length, or the password is not ASCII.
    """
    if len(challenge) != CHALLENGE_BYTES:
        raise ValueError("a VNC challenge has 16 bytes")
    key = password.encode("ascii")[:PASSWORD_BYTES].ljust(PASSWORD_BYTES, b"\0")
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    # Triple DES with one key three times is single DES, which the library does not have.
    # The protocol gives no choice of a better cipher.
    encryptor = Cipher(TripleDES(mirrored * 3), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(challenge) + encryptor.finalize()
