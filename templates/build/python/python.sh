# shellcheck shell=sh
# Sourced after env.sh by the steps that make the Python environment or add to it.
# PREFIX is its folder, such as /opt/venv; all functions fail when a command of theirs does.
#
#   environment_venv PREFIX GID PYTHON      a venv of the interpreter PYTHON, such as python3.11
#   environment_conda PREFIX GID CHANNEL CUDA SPEC…   an environment of a conda channel
#   environment_pip PREFIX REQUIREMENT…     install by pip's rules
#   environment_torch PREFIX INDEX REQUIREMENT…       the same, out of PyTorch's own index
#   environment_npm PREFIX PACKAGE…         Node.js, and packages of npm with their commands

# A tool for a stage that is thrown away; the environment itself has pip.
tools=/opt/imagekit-tools
# Downloads are unpacked on disk: /tmp is memory during a step, and CUDA takes gigabytes.
cache=/root/.cache/pip
TMPDIR=$(mktemp -d "$cache/tmp.XXXXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# In a frozen build: an environment's folder and one exact spec a line.
frozen_conda=/run/imagekit-build/python/frozen/conda
export UV_CACHE_DIR="$cache/uv" UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    UV_NO_PROGRESS=1 UV_HTTP_TIMEOUT=300 npm_config_cache="$cache/npm"
# uv reads none of pip's settings.
[ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
UV_INSECURE_HOST=$(echo "${PIP_TRUSTED_HOST:-}" | tr '\n' ' ')
export UV_INSECURE_HOST

environment_folder() {
    mkdir -p "$1" && chgrp "$2" "$1" && chmod 2775 "$1"
}

environment_venv() {
    environment_folder "$1" "$2" &&
        "$3" -m venv "$1" &&
        newer_pip "$1/bin/python" &&
        environment_uv "$1/bin/python" "$1/bin/python" &&
        environment_share "$1"
}

environment_conda() {
    prefix=$1 channel=$(conda_channel "$3") cuda=$4
    environment_folder "$prefix" "$2" || return
    shift 4
    if [ -f "$frozen_conda" ]; then
        # One spec a word: none holds a blank, and its brackets are no pattern.
        set -f
        # shellcheck disable=SC2046
        set -- $(awk -v prefix="$prefix" '$1 == prefix { print $2 }' "$frozen_conda")
        set +f
    fi
    build_venv "$tools" &&
        "$tools/bin/pip" install --quiet --requirement=/run/imagekit-build/python/conda.txt &&
        "$tools/bin/python" /run/imagekit-build/python/conda-install.py --cache="$cache/conda" \
            --prefix="$prefix" --channel="$channel" --cuda="$cuda" -- "$@" || return
    # The channel's own bytecode is there; what is missing is that of packages without one.
    if [ -x "$prefix/bin/python" ]; then
        "$prefix/bin/python" -m compileall -q -j 0 "$prefix/lib" > /dev/null || true
        environment_uv "$prefix/bin/python" "$tools/bin/python" || return
    fi
    environment_share "$prefix"
}

# uv, three to four times as fast as pip, for the Pythons that it knows: the first one is
# what it will install for, the second one's pip fetches it.
environment_uv() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 8))' || return 0
    "$2" -m pip install --quiet --no-compile --target="$tools/uv" \
        --requirement=/run/imagekit-build/python/uv.txt
}

environment_pip() {
    environment_install "$@"
}

# What pip and uv are told alike.
environment_install() {
    prefix=$1
    shift
    if [ -x "$tools/uv/bin/uv" ]; then
        "$tools/uv/bin/uv" pip install --python="$prefix/bin/python" --compile-bytecode "$@" || return
    else
        "$prefix/bin/python" -m pip install "$@" || return
    fi
    environment_share "$prefix"
}

# PyTorch's own packages from its index alone, so that no other index can offer another
# build of the same version; what they need comes from PyPI or its mirror.
environment_torch() {
    prefix=$1 index=$(pytorch_index "$2")
    shift 2
    environment_pip "$prefix" --index-url="$index" --no-deps "$@" && environment_pip "$prefix" "$@"
}

environment_npm() {
    prefix=$1
    shift
    environment_pip "$prefix" --requirement=/run/imagekit-build/python/npm.txt || return
    # npm's own defaults, which the settings of the image and of its users overrule (npmrc(5)):
    # `npm install --global` puts commands where PATH has them.
    for folder in "$prefix"/lib/python*/site-packages/nodejs*/lib/node_modules/npm; do
        echo "prefix=$prefix" > "$folder/npmrc" || return
    done
    PATH="$prefix/bin:$PATH" "$prefix/bin/npm" install --global --no-audit --no-fund "$@" &&
        environment_share "$prefix"
}

# The user's group may install and remove. Only what this step made is touched: a change
# of a file's owner or mode would copy it into the step's layer.
environment_share() {
    group=$(stat -c %g "$1")
    find "$1" ! -group "$group" -exec chgrp -h "$group" {} + &&
        find "$1" ! -type l ! -perm -g=w -exec chmod g+w {} + &&
        find "$1" -type d ! -perm -g=s -exec chmod g+s {} +
}

# A frozen build has a script of its own.
# shellcheck source=/dev/null
[ ! -f /run/imagekit-build/python/frozen/python.sh ] || . /run/imagekit-build/python/frozen/python.sh
