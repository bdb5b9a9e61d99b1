"""The logins that ``docker login`` stored, as the engine wants to be told them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import docker.auth
import docker.errors
import docker.utils.config

from imagekit.errors import Message, NetworkError

DAMAGED = (AttributeError, KeyError, TypeError, ValueError, docker.errors.InvalidConfigFile)
"""What docker-py raises about a configuration, or a helper's answer, that is none."""


def registry_of(ref: str) -> str:
    """The host of the registry that an image's name stands for; ``docker.io`` without one."""
    host, _ = docker.auth.resolve_repository_name(ref)
    return str(host)


def stored(host: str) -> dict[str, str]:
    """What docker's configuration, or its credential helper, holds for a registry.

    Returns:
        The API's ``AuthConfig`` with its keys in lower case; empty without a login.

    Raises:
        docker.errors.DockerException: the configuration or its helper is broken.
    """
    with warnings.catch_warnings():
        # Of a helper that is not there docker-py warns, before it raises.
        warnings.simplefilter("ignore")
        found = _resolved(host)
    # docker-py spells the keys in lower case from a file and in title case from a helper.
    return {str(key).lower(): str(value) for key, value in (found or {}).items() if value}


def _resolved(host: str) -> dict[str, object] | None:
    """docker-py's answer, or its exceptions in words that name the culprit."""
    try:
        config = docker.auth.load_config()
        helper = config.get_credential_store(host)
    except DAMAGED as error:
        what = damage() or "docker's configuration is damaged"
        raise docker.errors.DockerException(what) from error
    try:
        found: dict[str, object] | None = docker.auth.resolve_authconfig(config, host)
    except DAMAGED as error:
        what = damage() or f"docker-credential-{helper} answers with no login"
        raise docker.errors.DockerException(what) from error
    return found


def damage() -> str:
    """The file of docker's configuration and what is wrong in it; empty when nothing is seen.

    docker-py takes what is no JSON for an older format, or for none, and says nothing.
    """
    file = str(docker.utils.config.find_config_file())
    config = docker.utils.config.load_general_config()
    if not isinstance(config, dict):
        return f"{file} holds no JSON object"
    for key in ("auths", "credHelpers", "proxies", "HttpHeaders"):
        if not isinstance(config.get(key, {}), dict):
            return f"{file}: {key} is no JSON object"
    if not isinstance(config.get("credsStore", ""), str):
        return f"{file}: credsStore is no text"
    for host, entry in config.get("auths", {}).items():
        try:
            docker.auth.parse_auth({host: entry}, raise_on_error=True)
        except DAMAGED:
            return f"{file}: the login for {host} is damaged"
    return ""


def login(ref: str) -> dict[str, str]:
    """The login for an image's registry, as ``stored``; empty without one.

    Raises:
        NetworkError: the stored logins, or their credential helper, cannot be read.
    """
    host = registry_of(ref)
    try:
        return stored(host)
    except docker.errors.DockerException as error:
        hint = (
            "look at auths, credsStore and credHelpers in docker's config.json, then docker login"
        )
        what = f"the stored login cannot be read: {error}"
        raise NetworkError(Message(host, what, hint)) from error


def header(ref: str) -> Mapping[str, str]:
    """The request header with the login for an image's registry.

    It is there without a login, too: engine 20.10 refuses pushes that lack it.

    Raises:
        NetworkError: the stored logins, or their credential helper, cannot be read.
    """
    return {"X-Registry-Auth": docker.auth.encode_header(login(ref)).decode()}


def user(ref: str) -> str:
    """Who is logged in to an image's registry, for messages; empty when nobody is.

    Raises:
        NetworkError: the stored logins, or their credential helper, cannot be read.
    """
    found = login(ref)
    return found.get("username") or ("(identity token)" if found else "")
