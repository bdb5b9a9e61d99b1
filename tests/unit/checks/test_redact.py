from imagekit.checks.check import Attachment
from imagekit.checks.redact import Redactor
from imagekit.checks.report import Failure, Result
from imagekit.container import Secrets


def test_secrets_vanish_from_reason_and_data() -> None:
    redactor = Redactor(Secrets("pass-word", "desk-top"))
    result = redactor.result(
        Result("x", "failed", "got pass-word", 1.0, {"a": ["desk-top", {"b": "pass-word"}], "n": 3})
    )
    assert result.reason == "got [password]"
    assert result.data == {"a": ["[password]", {"b": "[password]"}], "n": 3}


def test_secrets_vanish_from_the_parts_of_a_failure_and_from_attached_text() -> None:
    log = Attachment("log.txt", "text/plain", b"it is pass-word \xff")
    picture = Attachment("x.png", "image/png", b"pass-word")
    failure = Failure("pass-word", "pass-word!", "a pass-word")
    result = Redactor(Secrets("pass-word", "desk-top")).result(
        Result("x", "failed", "", 1.0, {"log": log, "picture": picture}, failure)
    )
    assert result.failure == Failure("[password]", "[password]!", "a [password]")
    assert result.data["log"].content == "it is [password] \ufffd".encode()  # type: ignore[attr-defined]
    assert result.data["picture"] is picture


def test_an_empty_secret_replaces_nothing() -> None:
    assert Redactor(Secrets("", "")).text("abc") == "abc"


def test_every_secret_is_taken_out_and_what_is_public_stays() -> None:
    secrets = Secrets(*"abcdefgh".upper())
    assert Redactor(secrets).text("-".join("ABCDEFGH")) == "-".join(
        name if name in "CG" else "[password]" for name in "ABCDEFGH"
    )
