import time

import pytest

from imagekit.checks.imageconfig import leaks
from imagekit.checks.subject import ImageConfig, Step

TOKEN = "ghp_" + "a1B2" * 9


def environment(**variables: str) -> ImageConfig:
    return ImageConfig("sha256:aa", environment=tuple(variables.items()))


def made_by(text: str) -> ImageConfig:
    return ImageConfig("sha256:aa", history=(Step("FROM", 1), Step(text, 1)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (environment(DB_PASSWORD="x"), "the variable DB_PASSWORD of the image, which looks like"),
        (environment(GREETING=TOKEN), "a GitHub token in the variable GREETING of the image"),
        (
            environment(INDEX="https://me:pass-word@pypi.example.edu/simple"),
            "a password in an address in the variable INDEX",
        ),
        (
            ImageConfig("sha256:aa", labels=(("edu.example.api-token", "x"),)),
            "the label edu.example.api-token, which looks like a secret",
        ),
        (
            ImageConfig("sha256:aa", labels=(("note", "-----BEGIN OPENSSH PRIVATE KEY-----"),)),
            "a private key in the label note",
        ),
        (
            made_by("RUN /bin/sh -c echo 'root:root' | chpasswd # buildkit"),
            "a password for chpasswd in step 2 of the image's history",
        ),
        (made_by("/bin/sh -c chpasswd <<< root:root"), "a password for chpasswd in step 2"),
        (made_by("/bin/sh -c echo secret1 | passwd --stdin lab"), "a password for passwd"),
        (made_by("RUN x11vnc -storepasswd 1234 /etc/vnc"), "a password for passwd"),
        (made_by("RUN useradd -p '$6$abc$0123456789abcdefghijkl' lab"), "a password's hash"),
        (
            made_by("RUN |2 VERSION=1 GIT_TOKEN=abc /bin/sh -c git clone x # buildkit"),
            "a value of GIT_TOKEN, which looks like a secret, in step 2",
        ),
        (
            made_by("RUN |1 DB_PASSWORD=hunter2 /bin/bash -o pipefail -c make # buildkit"),
            "a value of DB_PASSWORD, which looks like a secret, in step 2",
        ),
        (
            made_by("|2 A=/bin/sh GIT_TOKEN=b c /usr/bin/bash -eo pipefail -lc make"),
            "a value of GIT_TOKEN",
        ),
        (made_by("RUN |1 GIT_TOKEN=abc /bin/ash -c make # buildkit"), "a value of GIT_TOKEN"),
        (made_by("RUN echo root:root | /usr/sbin/chpasswd"), "a password for chpasswd in step 2"),
        (made_by("RUN echo a:1234 | sudo /sbin/chpasswd -e"), "a password for chpasswd"),
        (made_by("RUN /usr/sbin/chpasswd <<< root:root"), "a password for chpasswd"),
        (made_by("RUN echo 1234 | /usr/bin/vncpasswd -f > x"), "a password for passwd"),
        (made_by("ENV A=1 GITHUB_TOKEN=abc"), "a value of GITHUB_TOKEN"),
        (made_by("/bin/sh -c #(nop)  ENV A=1 GITHUB_TOKEN=abc B=2"), "a value of GITHUB_TOKEN"),
        (made_by("ENV GITHUB_TOKEN abc"), "a value of GITHUB_TOKEN"),
        (made_by("ARG A NPM_TOKEN=abc"), "a value of NPM_TOKEN"),
        (made_by("/bin/sh -c #(nop)  ENV VNC_PASSWORD=1234"), "a value of VNC_PASSWORD"),
        (made_by("ARG NPM_TOKEN=abc"), "a value of NPM_TOKEN"),
        (made_by(f"RUN git clone https://{TOKEN}@github.com/x/y"), "a GitHub token in step 2"),
    ],
)
def test_what_everyone_can_read_is_told_and_not_repeated(config: ImageConfig, said: str) -> None:
    found = list(leaks(config))
    assert [text for text in found if text.startswith(said)]
    for secret in (TOKEN, "pass-word", "root:root", "1234", "abc", "hunter2"):
        assert secret not in " ".join(found)


@pytest.mark.parametrize(
    "config",
    [
        environment(PATH="/usr/bin", LANG="zh_CN.UTF-8", GPG_KEY="A035C8C19219BA821E", KEY=""),
        environment(INDEX="https://pypi.example.edu/simple", PROXY="http://$USER:$WORD@proxy"),
        ImageConfig("sha256:aa", labels=(("dev.imagekit.resolved", '{"password":true}'),)),
        made_by('RUN printf \'%s:%s\\n\' "$1" "$password" | chpasswd'),
        made_by('RUN echo "lab:$PASSWORD" | chpasswd'),
        made_by("RUN echo lab ALL > /etc/sudoers.d/x && sed -i /pam_motd/d /etc/pam.d/sshd"),
        made_by("RUN |1 VERSION=2 /bin/sh -c apt-get install passwd # buildkit"),
        made_by("RUN |1 VERSION=2 /bin/bash -o pipefail -c git clone x # with GIT_TOKEN=y"),
        made_by("RUN |1 VERSION=2 /bin/bash -c X_TOKEN=$(cat /run/secrets/x) make -c"),
        made_by("ENV TOKEN_FILE=/run/secrets/token"),
        made_by("ENV A=1 TOKEN_FILE=/run/secrets/token B_TOKEN=\"\" C_TOKEN=''"),
        made_by("RUN ls /usr/bin/passwd | grep /usr/bin/passwd"),
        made_by("ARG HF_TOKEN"),
        made_by("RUN cp vncpasswd /usr/bin && ls | grep passwd"),
    ],
)
def test_what_is_no_secret_is_not_told(config: ImageConfig) -> None:
    assert list(leaks(config)) == []


@pytest.mark.parametrize(
    "text",
    [
        "RUN |1 A=" + "/sh -x " * 15_000,
        "RUN |1 " + "A=b " * 25_000,
        "RUN |1 " + "/" * 100_000,
        "RUN |1 A= /bin/sh" + " -a" * 33_000,
        "RUN |1 A= /bin/sh " + "a" * 100_000,
        "ENV " + "A" * 100_000,
        "ENV " + "A=b " * 25_000,
        "RUN echo " + "a" * 100_000,
        "RUN " + "echo " * 20_000,
        "RUN " + "a:b" * 33_000,
        "RUN " + "a:b " * 25_000,
        "RUN a:b " + " " * 100_000,
        "RUN a:b |" + "/" * 100_000,
        "RUN echo a |" + "/a" * 50_000,
        "RUN chpasswd <<< " + "a." * 50_000,
    ],
)
def test_a_long_step_takes_no_time(text: str) -> None:
    begun = time.process_time()
    list(leaks(made_by(text)))
    assert time.process_time() - begun < 1
