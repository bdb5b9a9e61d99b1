"""What is to be seen on the desktop, and what a person does there."""

from __future__ import annotations

from tests.docker.mutants.mutant import Mutant

_SESSION = "/usr/lib/imagekit/desktop-session"
_SERVER = "/usr/lib/imagekit/desktop"


def _autostart(name: str, command: str) -> str:
    """A line that makes a program start with the session."""
    entry = rf"[Desktop Entry]\nType=Application\nName={name}\nExec={command}\n"
    return f"printf '{entry}' > /etc/xdg/autostart/{name}.desktop"


def _crashing(program: str) -> str:
    """A line that lets a program end as a bug of its own would end it."""
    return rf"printf '#!/bin/sh\nkill -SEGV $$\n' > {program}"


MUTANTS = (
    Mutant(
        "the screen stays blank",
        f"RUN sed -i 's/exec dbus-run-session.*/exec sleep infinity/' {_SESSION}",
        "vnc",
        ("on which nothing is drawn",),
    ),
    Mutant(
        "the page looks for the desktop where it is not",
        (
            "RUN sed -i 's#-rfbunixpath $target#-rfbunixpath $run/elsewhere.sock#' "
            "/usr/lib/imagekit/start.d/50-desktop"
        ),
        "vnc",
        ("the WebSocket /websockify", "No such file"),
    ),
    Mutant(
        "the screen has another size",
        "RUN sed -i 's/1600x900/1024x768/' /etc/imagekit/settings",
        "vnc",
        ("a desktop of 1600x900", "1024x768"),
    ),
    Mutant(
        "the window manager crashes",
        f"RUN {_crashing('/usr/bin/xfwm4')}",
        "session",
        ("a window manager",),
    ),
    Mutant(
        "there is no panel",
        "RUN rm /usr/bin/xfce4-panel",
        "session",
        ("no xfce4-panel in a session",),
    ),
    Mutant(
        "a dialog greets everyone",
        f"RUN {_autostart('greeting', 'exo-open --launch WebBrowser')}",
        "session",
        ("without a dialog",),
        everyday=True,
    ),
    Mutant(
        "the screen is locked after a while",
        (
            "RUN ln /usr/bin/sleep /usr/bin/xscreensaver && "
            f"{_autostart('saver', 'xscreensaver 1d')}"
        ),
        "session",
        ("without lockers", "xscreensaver"),
    ),
    Mutant(
        "there is no OpenGL",
        "RUN rm /usr/lib/x86_64-linux-gnu/libGLX_mesa.so.0*",
        "opengl",
        ("an OpenGL context by GLX",),
    ),
    Mutant(
        "the input method is missing",
        "RUN rm /usr/bin/fcitx5",
        "input",
        ("by pinyin", "nihao"),
    ),
    Mutant(
        "the desktop does not follow the window's size",
        f"RUN sed -i 's/-AlwaysShared/& -AcceptSetDesktopSize=0/' {_SERVER}",
        "resize",
        ("-AcceptSetDesktopSize",),
        everyday=True,
    ),
    Mutant(
        "what is copied in the desktop does not come out",
        f"RUN sed -i 's/-AlwaysShared/& -SendCutText=0/' {_SERVER}",
        "clipboard",
        ("copied by a program of the desktop, at the page", "nothing"),
    ),
    Mutant(
        "what is copied outside does not come in",
        f"RUN sed -i 's/-AlwaysShared/& -AcceptCutText=0/' {_SERVER}",
        "clipboard",
        ("copied at the page, in a program of the desktop",),
    ),
    Mutant(
        "there is no terminal",
        "RUN rm /usr/bin/xfce4-terminal",
        "desktop",
        ("a terminal (exo-open --launch TerminalEmulator) that opens a window",),
    ),
    Mutant(
        "there is no file manager",
        "RUN rm /usr/bin/thunar",
        "desktop",
        ("a file manager (exo-open --launch FileManager) that opens a window",),
    ),
    Mutant(
        "the page's own program fails",
        (
            "RUN sed -i '1i throw new Error(\"the page is broken\");' "
            "/opt/imagekit/web/htdocs/desktop.js"
        ),
        "browser",
        ("the page is broken",),
    ),
)
