"""Statements of where an image comes from."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from imagekit import provenance
from imagekit.plan.model import Plan
from imagekit.provenance import Material
from imagekit.render import render

BASE = Material("debian:12-slim", (("sha256", "ab" * 32),), "pkg:docker/debian@sha256:ab")
SUBJECTS = {"imagekit/x:latest": f"sha256:{'cd' * 32}"}


def said(plan: Plan, *materials: Material) -> str:
    return provenance.statement(plan, SUBJECTS, materials, engine_version="28.5.2")


def test_a_statement_is_in_totos_with_slsa_s_predicate(planned: Callable[[str], Plan]) -> None:
    plan = planned("")
    text = said(plan, BASE)
    parsed = json_format.Parse(text, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    statement = json.loads(text)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["plan"] == json.loads(plan.to_json())
    assert definition["resolvedDependencies"] == [
        {
            "name": "debian:12-slim",
            "uri": "pkg:docker/debian@sha256:ab",
            "digest": {"sha256": "ab" * 32},
        }
    ]
    builder = statement["predicate"]["runDetails"]["builder"]
    assert builder["version"]["docker-engine"] == "28.5.2"


def test_the_context_is_a_material_by_its_bytes(planned: Callable[[str], Plan]) -> None:
    here = provenance.context_material(render(planned("")))
    assert here == provenance.context_material(render(planned("")))
    assert here != provenance.context_material(render(planned("sshd: false")))


def test_equal_builds_have_equal_statements_that_name_no_host(
    planned: Callable[[str], Plan],
) -> None:
    text = said(planned(""), BASE)
    assert text == said(planned(""), BASE)
    assert socket.gethostname() not in text
