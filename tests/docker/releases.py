"""The profile that every release is built from, so that its steps are built once."""

from __future__ import annotations

DESKTOP = "profile: 1\nextends: [_desktop-zh]\nbase: {os: RELEASE}\n"
SSH_ONLY = "profile: 1\nbase: {os: RELEASE}\n"
