import pytest

from imagekit.checks.vncauth import respond


def test_answer_is_that_of_tigervnc() -> None:
    # tigervnc-tools 1.12: `printf abcdefgh | vncpasswd -f` gives db8ab02565e3b4c2, which
    # is "abcdefgh" encrypted as a challenge is, with a password that everybody knows.
    known = bytes([23, 82, 107, 6, 35, 78, 88, 7]).decode("ascii")
    assert respond(known, b"abcdefgh" * 2).hex() == "db8ab02565e3b4c2" * 2


def test_what_follows_eight_characters_does_not_count() -> None:
    assert respond("abcdefgh", bytes(16)) == respond("abcdefghIJKL", bytes(16))
    assert respond("abcdefgh", bytes(16)) != respond("abcdefg", bytes(16))


def test_known_answer() -> None:
    # `openssl enc -des-ecb -nopad -K 8646c626a666e616` of 16 zero bytes (the key's bytes
    # are "abcdefgh" with their bits reversed).
    assert respond("abcdefgh", bytes(16)).hex() == "e6d91b75c941f823" * 2


@pytest.mark.parametrize(("password", "challenge"), [("abc", b"short"), ("密码", bytes(16))])
def test_refuses_what_cannot_be_answered(password: str, challenge: bytes) -> None:
    with pytest.raises(ValueError, match=r"16 bytes|ascii"):
        respond(password, challenge)
