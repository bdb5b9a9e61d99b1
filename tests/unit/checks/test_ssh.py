import base64
import logging
import socket
import threading
from typing import Any

import paramiko
import pytest

from imagekit.checks import ssh
from imagekit.checks.check import AnswerError
from imagekit.wait import Deadline


def test_public_line_is_one_line_of_authorized_keys(key: Any) -> None:
    kind, data, _comment = ssh.public_line(key).split(" ")
    assert kind == "ecdsa-sha2-nistp256"
    assert paramiko.PKey.from_type_string(kind, base64.b64decode(data)) == key


def test_keys_are_fresh(key: Any) -> None:
    assert ssh.new_key() != key


def test_run_gives_output_and_exit_code(ssh_server: Any, key: Any) -> None:
    fake = ssh_server(run=lambda command, env: (3, f"{command} {env}"))
    with ssh.connect(fake.address, Deadline.after(5)) as transport:
        assert ssh.try_key(transport, "lab", key)
        output = ssh.run(transport, "echo 中", Deadline.after(5), {"LANG": "x"})
    assert output == ssh.Output(3, "echo 中 {'LANG': 'x'}")


def test_login_shell_reads_its_script(ssh_server: Any, key: Any) -> None:
    fake = ssh_server(run=lambda script, env: (0, f"{env['SHELL']}: {script}"))
    with ssh.connect(fake.address, Deadline.after(5)) as transport:
        assert ssh.try_key(transport, "lab", key)
        output = ssh.run_in_login_shell(transport, "echo hello\n", Deadline.after(5))
    assert output == ssh.Output(0, "login: echo hello\n")


def test_command_that_hangs_is_given_up(ssh_server: Any, key: Any) -> None:
    released = threading.Event()
    fake = ssh_server(run=lambda *_: (0, str(released.wait(5))))
    with ssh.connect(fake.address, Deadline.after(5)) as transport:
        assert ssh.try_key(transport, "lab", key)
        with pytest.raises(TimeoutError):
            ssh.run(transport, "sleep", Deadline.after(0.1))
    released.set()


def test_a_refused_login_can_be_followed_by_another(ssh_server: Any, key: Any) -> None:
    fake = ssh_server()
    with ssh.connect(fake.address, Deadline.after(5)) as transport:
        assert not ssh.try_password(transport, "lab", "wrong")
        assert ssh.try_password(transport, "lab", fake.password)


def test_no_answer_is_no_refusal(ssh_server: Any) -> None:
    released = threading.Event()
    fake = ssh_server(thinks=lambda: released.wait(5))
    try:
        with (
            ssh.connect(fake.address, Deadline.after(1)) as transport,
            pytest.raises(TimeoutError, match="no answer to the login in time"),
        ):
            ssh.try_password(transport, "lab", "wrong")
    finally:
        released.set()


def test_connect_waits_while_connections_are_closed_at_once(ssh_server: Any) -> None:
    with ssh.connect(ssh_server(hang_ups=2).address, Deadline.after(5)) as transport:
        assert ssh.host_key(transport).type == "ecdsa-sha2-nistp256"


def test_connect_gives_up_at_the_deadline(ssh_server: Any) -> None:
    with (
        pytest.raises(TimeoutError, match="closes connections"),
        ssh.connect(ssh_server(hang_ups=1000).address, Deadline.after(0.3)),
    ):
        pass


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


def test_no_ssh_server_is_told_without_noise() -> None:
    records = Records()
    logging.getLogger().addHandler(records)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200)

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            pytest.raises(AnswerError, match="no ssh session"),
            ssh.connect(server.getsockname()[:2], Deadline.after(5)),
        ):
            pass
        thread.join()
    logging.getLogger().removeHandler(records)
    assert not records.seen
