"""What a registry has, asked through the engine, with its mirrors and logins."""

from __future__ import annotations

import docker.errors

from imagekit.engine import logins
from imagekit.engine.connection import Engine
from imagekit.engine.faults import RAW, fault, is_timeout
from imagekit.engine.refusals import RegistryError, refusal
from imagekit.errors import EngineError, Message

# What registries and engines say of a tag that is not there. Docker Hub says "denied" of a
# repository that does not exist, and of one that is private, which cannot be told apart.
_ABSENT = ("manifest unknown", "not found", "no such manifest", "name unknown")


def has(engine: Engine, ref: str) -> bool:
    """Whether the registry has an image; the engine asks it, and fetches nothing.

    Raises:
        NetworkError: the registry cannot be reached, or does not tell.
        EngineError: the engine did not answer.
    """
    return digest(engine, ref) != ""


def digest(engine: Engine, ref: str) -> str:
    """The digest of the manifest that the registry has for ``ref``; empty when it has none.

    Raises:
        RegistryError: the registry cannot be reached, or does not tell.
        NetworkError: the stored logins cannot be read.
        EngineError: the engine did not answer.
    """
    api = engine.client.api
    login = logins.login(ref)
    try:
        found = api.inspect_distribution(ref, auth_config=login)  # type: ignore[no-untyped-call]
    except docker.errors.APIError as error:
        text = str(error.explanation or error)
        if any(words in text.lower() for words in _ABSENT) and "denied" not in text.lower():
            return ""
        raise refusal(ref, text) from error
    except RAW as error:
        if is_timeout(error):
            # The engine asks the registry first, and answers when that did.
            raise RegistryError(Message(ref, f"no answer for {api.timeout} s")) from error
        raise fault(engine.where, error) from error
    try:
        return str(found["Descriptor"]["digest"])
    except (KeyError, TypeError):
        what = f"the engine describes {ref} as {found!r:.80}"
        raise EngineError(Message(engine.where, what)) from None
