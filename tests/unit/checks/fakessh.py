"""A small scripted ssh server on the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import paramiko

from tests.unit.checks.sftpserver import MemorySftp

PASSWORD = "correct-horse-17"
HOST_KEY = paramiko.ECDSAKey.generate()


@dataclass
class FakeSsh:
    """An ssh server. ``run`` gets a command and the variables that the client offered."""

    run: Callable[[str, dict[str, str]], tuple[int, str]] = lambda _command, _env: (0, "")
    user: str = "lab"
    password: str = PASSWORD
    key: str = ""
    passwords_allowed: bool = True
    any_password: bool = False
    root_allowed: bool = False
    root_password: str = PASSWORD
    host_key: paramiko.PKey = HOST_KEY
    hang_ups: int = 0  # as an engine's proxy does before the service is up
    thinks: Callable[[], object] = lambda: None  # before it answers a password
    sftp: str = ""  # what is wrong with it; see MemorySftp
    files: dict[str, bytes] = field(default_factory=dict)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    transports: list[paramiko.Transport] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return self.listener.getsockname()[:2]

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.hang_ups > 0:
                self.hang_ups -= 1
                connection.close()
                continue
            transport = paramiko.Transport(connection)
            transport.set_log_channel("tests.checks")
            transport.add_server_key(self.host_key)
            if self.sftp != "none":
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, MemorySftp)
            self.transports.append(transport)
            try:
                transport.start_server(event=threading.Event(), server=_Session(self))
            except (OSError, EOFError, paramiko.SSHException):  # the client has left
                transport.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for transport in self.transports:
            transport.close()


class _Session(paramiko.ServerInterface):
    def __init__(self, fake: FakeSsh) -> None:
        self.fake = fake
        self.env: dict[str, str] = {}

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey,password" if self.fake.passwords_allowed else "publickey"

    def _known(self, username: str) -> bool:
        return username == self.fake.user or (username == "root" and self.fake.root_allowed)

    def check_auth_password(self, username: str, password: str) -> int:
        self.fake.thinks()
        own = self.fake.root_password if username == "root" else self.fake.password
        right = password == own or self.fake.any_password
        if self._known(username) and right and self.fake.passwords_allowed:
            return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = self._known(username) and key.get_base64() == self.fake.key
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return paramiko.OPEN_SUCCEEDED

    def check_channel_env_request(self, _channel: Any, name: bytes, value: bytes) -> bool:
        self.env[name.decode()] = value.decode()
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        env, self.env = self.env, {}
        self._answer(channel, lambda _script: command.decode(), env)
        return True

    def check_channel_pty_request(self, *_: Any) -> bool:
        self.env["TERMINAL"] = "yes"
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        env, self.env = {"SHELL": "login", **self.env}, {}
        self._answer(channel, lambda script: script, env)
        return True

    def _answer(
        self, channel: paramiko.Channel, command: Callable[[str], str], env: dict[str, str]
    ) -> None:
        def work() -> None:
            try:
                # The end of the input comes after the client knows that its request
                # was accepted; an answer and a close before that would overtake it.
                script = channel.makefile("r").read().decode()
                code, text = self.fake.run(command(script), env)
                channel.sendall(text.encode())
                channel.send_exit_status(code)
                channel.close()
            except (OSError, EOFError, paramiko.SSHException):  # the test is over
                return

        threading.Thread(target=work, daemon=True).start()
