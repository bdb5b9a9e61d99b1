"""The command line: finds the verb, runs it, and turns errors into messages and exit codes.

Verbs are modules of ``imagekit.commands``, imported only when they are used, so that
``imagekit --help`` and the offline verbs start at once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType

import click

from imagekit.errors import ImagekitError, WorkFailedError

# verb: what it does, as `imagekit --help` lists it (the verb's own first line).
VERBS = {
    "list": "List the profiles that can be built.",
    "show": "Show what a profile means: every decision made, and why.",
    "validate": "Check profiles without building them.",
    "schema": "Print the JSON Schema of profiles, site files or reports.",
    "catalogue": "Print the data on what exists and what fits.",
    "render": "Write the Dockerfile and its files.",
    "build": "Build the images of profiles.",
    "bootstrap": "Make a base image from an apt mirror, without a registry.",
    "test": "Smoke-test a profile's image, or any other.",
    "push": "Push a profile's image to registries, and see that it is there.",
    "run": "Start a container for a person.",
    "card": "Say how a person logs in.",
    "rm": "Remove a person's container; the home stays.",
    "export": "Write what other tools build from: a CI matrix, a bake file.",
    "gc": "Show what imagekit left in the engine, and remove it.",
}

_NAME = "imagekit"
_BUG = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130


class Verbs(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All verbs in the order of a person's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the verb's module."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"imagekit.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="imagekit-lab", prog_name=_NAME)
def cli() -> None:
    """Build, test and run desktop images for a shared lab server, from profiles.

    A PROFILE is a name (looked for in ./profiles, in your configuration folder, and
    among the shipped ones) or the path of a file.
    """


def main() -> None:
    """Run the command line and exit; the only place where errors become exit codes."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_run())


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C, so that everything started is cleaned up."""
    raise KeyboardInterrupt


def _run() -> int:
    try:
        return _invoke()
    except ImagekitError as error:
        for message in error.messages:
            click.echo(str(message), err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, EOFError, click.Abort):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except OSError as error:
        return _output_failed(error)
    except Exception:  # noqa: BLE001  (the boundary: anything else is our own mistake)
        import traceback  # noqa: PLC0415  (5 ms that only a bug is worth)

        traceback.print_exc()
        click.echo("this is a bug in imagekit; please report the lines above", err=True)
        return _BUG


def _output_failed(error: OSError) -> int:
    """A reader who has left, or a disk that is full."""
    # Python would complain again, while it exits, about output that it cannot write.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    where = f"{error.filename}: " if error.filename else ""
    click.echo(f"{where}{error.strerror or error}", err=True)
    return WorkFailedError.exit_code


def _invoke() -> int:
    """Run the verb; ``cli.main`` would turn a closed pipe into an exit code of its own."""
    if f"_{_NAME}_COMPLETE".upper() in os.environ:
        cli.main(prog_name=_NAME)  # a shell asks for completions; this exits
    try:
        with cli.make_context(_NAME, sys.argv[1:]) as context:
            result = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:  # --help, --version
        sys.stdout.flush()
        return ended.exit_code
    return result if isinstance(result, int) else 0
