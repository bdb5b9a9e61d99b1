from dataclasses import replace
from typing import Any

from imagekit.checks.check import Attachment
from imagekit.checks.redact import Redactor, redactor_of
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


def test_blanks_replace_nothing() -> None:
    redactor = Redactor(Secrets("  ", "desk", tls_key="BEGIN\n\n  \nEND"))
    assert redactor.text("a  b desk END") == "a  b [password] [password]"


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    assert Redactor(Secrets("lab", "my-lab-4711")).text("my-lab-4711 lab") == (
        "[password] [password]"
    )


def test_what_the_checks_do_not_know_is_hidden_too(subject: Any) -> None:
    foreign = replace(subject(), secrets=Secrets("", ""), given=Secrets("", "desk-top"))
    assert redactor_of(foreign).text("desk-top, of lab") == "[password], of lab"
    ours = replace(subject(), secrets=Secrets("", "lab"))
    assert redactor_of(ours).text("lab") == "lab"


def test_every_secret_is_taken_out_and_what_is_public_stays() -> None:
    secrets = Secrets(*"abcdefgh".upper())
    assert Redactor(secrets).text("-".join("ABCDEFGH")) == "-".join(
        name if name in "CG" else "[password]" for name in "ABCDEFGH"
    )
