"""Names that look as if something secret were behind them.

The words are those of BuildKit's check SecretsUsedInArgOrEnv, and those that make a name
harmless (https://docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env/).
"""

from __future__ import annotations

import re

_SECRET_WORD = re.compile(
    r"(^|_)(apikey|auth|credentials?|key|password|pword|passwd|secret|token)($|_)", re.IGNORECASE
)
_HARMLESS_WORD = re.compile(r"(^|_)(public|file|version)($|_)", re.IGNORECASE)


def looks_secret(name: str) -> bool:
    """Whether a variable of this name would hold a secret: ``HF_TOKEN``, not ``KEY_FILE``."""
    return bool(_SECRET_WORD.search(name)) and not _HARMLESS_WORD.search(name)
