# shellcheck shell=sh
# Sourced after env.sh and python.sh by the steps that find the checksums of what an image has.
# In /run/imagekit-build/lock: `apt` (a package a line: name, version, architecture) and
# `python` (requirements, each of one version).

# What the mirror has of these packages now, in the same form with the SHA-256 behind it; and
# the files of theirs that lie in apt's cache, for versions that the mirror no longer has.
lock_apt() {
    apt_lists || return
    apt_known /run/imagekit-build/lock/apt > "$1/listed"
    while read -r name version architecture; do
        # As apt names them: apt-pkg/contrib/strutl.cc, QuoteString(…, "_:")
        file=/var/cache/apt/archives/${name}_$(echo "$version" | sed 's/:/%3a/g')_$architecture.deb
        [ ! -f "$file" ] ||
            echo "$name $version $architecture $(sha256sum < "$file" | cut -d ' ' -f 1)"
    done < /run/imagekit-build/lock/apt > "$1/cached"
}

# All files of each requirement that this Python can install, as https://peps.python.org/pep-0751/
lock_python() {
    prefix=$1 version=$2 index=$3 out=$4
    # shellcheck disable=SC2154  # assigned in python.sh
    build_venv "$tools" && environment_uv "$tools/bin/python" "$tools/bin/python" || return
    if [ ! -x "$tools/uv/bin/uv" ]; then
        echo "imagekit: Python packages can be locked where the system's Python is 3.8 or newer" >&2
        return 1
    fi
    set -- --python="$prefix/bin/python"
    "$prefix/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' ||
        set -- --python=/usr/bin/python3 --python-version="$version"
    if [ -n "$index" ]; then
        set -- "$@" --index="$(pytorch_index "$index")" --index-strategy=unsafe-best-match
    fi
    "$tools/uv/bin/uv" pip compile "$@" --quiet --no-deps --no-header --format=pylock.toml \
        --output-file="$out/pylock.toml" /run/imagekit-build/lock/python
}
