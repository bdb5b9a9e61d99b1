# shellcheck shell=sh
# Sourced by python.sh in a frozen build. The environment's first step installs all that the
# lock file has for it, by checksum and without asking what needs what; the later ones find
# everything there. Beside this file:
#
#   python  requirements, each with the checksums of the files that it may come from

environment_pip() {
    environment_install "$1" --require-hashes --no-deps \
        --requirement=/run/imagekit-build/python/frozen/python
}

# Whatever index has a file, its checksum says which one it is.
environment_torch() {
    index=$(pytorch_index "$2")
    export UV_INDEX="$index" UV_INDEX_STRATEGY=unsafe-best-match PIP_EXTRA_INDEX_URL="$index"
    environment_pip "$1"
}
