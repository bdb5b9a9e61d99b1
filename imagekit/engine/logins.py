"""The logins that ``docker login`` stored, as the engine wants to be told them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import docker.auth
import docker.errors

from imagekit.errors import Message, NetworkError


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
        found = docker.auth.resolve_authconfig(docker.auth.load_config(), host)
    # docker-py spells the keys in lower case from a file and in title case from a helper.
    return {str(key).lower(): str(value) for key, value in (found or {}).items() if value}


def login(ref: str) -> dict[str, str]:
    """The login for an image's registry, as ``stored``; empty without one.

    Raises:
        NetworkError: the stored logins, or their credential helper, cannot be read.
    """
    host = registry_of(ref)
    try:
        return stored(host)
    except docker.errors.DockerException as error:
        hint = "look at credsStore and credHelpers in docker's config.json, then docker login"
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
