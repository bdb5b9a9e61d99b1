"""Solve and install conda packages into a folder, without conda, by rattler.

What the solver is told of the machine is that of the image and of the plan, never that of
the machine that builds: its C library, and CUDA as the plan has it, with or without a GPU.
https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html
"""

import argparse
import asyncio
import os
import pathlib
import sys

import rattler

# Where a channel is that no mirror is named for. Anaconda's own channels have a host of
# their own: https://docs.anaconda.com/working-with-conda/channels/
ANACONDA = "https://repo.anaconda.com"
OTHERS = "https://conda.anaconda.org"


def channel_url(name):
    """A channel's address: itself, when it is one, or where it is by default."""
    if "://" in name:
        return name
    return f"{ANACONDA if name.startswith('pkgs/') else OTHERS}/{name}"


def virtual_package(name, version, build="0"):
    """One fact about the machine, in the form that match specs ask for."""
    if hasattr(rattler, "BuildString"):
        build = rattler.BuildString(build)
    return rattler.GenericVirtualPackage(
        rattler.PackageName(name), rattler.Version(version), build
    )


def machine(cuda):
    """The facts: 64-bit x86 of any age, Linux, this image's C library, the plan's CUDA."""
    glibc = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    facts = [
        virtual_package("__unix", "0"),
        virtual_package("__linux", "5.4"),
        virtual_package("__glibc", glibc),
        virtual_package("__archspec", "1", "x86_64"),
    ]
    return [*facts, virtual_package("__cuda", cuda)] if cuda else facts


async def install(arguments):
    """Solve, say what was found, download and link."""
    channel = rattler.Channel(channel_url(arguments.channel))
    print(f"solving {' '.join(arguments.specs)} from {channel.base_url}", flush=True)
    records = await rattler.solve(
        sources=[channel],
        specs=arguments.specs,
        gateway=rattler.Gateway(cache_dir=arguments.cache / "repodata"),
        platforms=["linux-64", "noarch"],
        virtual_packages=machine(arguments.cuda),
    )
    for record in sorted(records, key=lambda record: record.name.normalized):
        print(f"  {record.name.normalized} {record.version} {record.build}")
    # Scripts of packages are run as conda runs them: pip or apt do no less.
    await rattler.install(
        records=records,
        target_prefix=arguments.prefix,
        cache_dir=arguments.cache / "pkgs",
        execute_link_scripts=True,
        show_progress=False,
        platform=rattler.Subdir("linux-64") if hasattr(rattler, "Subdir") else None,
    )


def main():
    """Read the command line, then install."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", required=True, type=pathlib.Path)
    parser.add_argument("--channel", required=True, help="a name or an address")
    parser.add_argument("--cuda", default="", help="the CUDA version to solve for, if any")
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    parser.add_argument("specs", nargs="+", metavar="SPEC")
    asyncio.run(install(parser.parse_args()))
    # Without taking the interpreter down: rattler's own threads are still there, and one
    # in ten runs of 0.25.0 and 0.28.0 ended in a segmentation fault after all was done.
    sys.stdout.flush()
    os._exit(0)


main()
