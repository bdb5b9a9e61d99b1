import pytest

from imagekit.secrecy import looks_secret


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("HF_TOKEN", True),
        ("db_passwd", True),
        ("OPENAI_APIKEY", True),
        ("KEY", True),
        ("KEYBOARD", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("SSH_KEY_FILE", False),
        ("PUBLIC_KEY", False),
        ("PATH", False),
    ],
)
def test_names(name: str, looks: bool) -> None:
    assert looks_secret(name) == looks
