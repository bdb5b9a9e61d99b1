# shellcheck shell=sh
# mirrors.sh KIND=URL…: what the image keeps for its users, in each tool's own file.
set -eu

mirror_of_apt() {
    # Only paths directly below a host, as in env.sh: other projects' repositories have such
    # names too, further down.
    archives='debian|debian-security|ubuntu|ubuntu-ports'
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
        /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$file" ] || sed -i -E \
            "s#https?://[^/[:space:]]+/(($archives)/?)([[:space:]]|\$)#${1%/}/\1\3#g" "$file"
    done
}

# pip takes packages without TLS only from hosts that it is told to trust.
# https://pip.pypa.io/en/stable/topics/configuration/#location
# https://docs.astral.sh/uv/concepts/configuration-files/
mirror_of_pypi() {
    host=$(echo "$1" | sed -n 's#^http://\([^/:]*\).*#\1#p')
    {
        printf '[global]\nindex-url = %s\n' "$1"
        [ -z "$host" ] || printf 'trusted-host = %s\n' "$host"
    } > /etc/pip.conf
    mkdir -p /etc/uv
    printf '[[index]]\nurl = "%s"\ndefault = true\n' "$1" > /etc/uv/uv.toml
}

# Debian's npm reads /etc/npmrc, others the file below their own prefix (npmrc(5)).
mirror_of_npm() {
    for file in /etc/npmrc /usr/local/etc/npmrc /opt/venv/etc/npmrc /opt/conda/etc/npmrc; do
        [ "${file#/opt/}" = "$file" ] || [ -d "${file%/etc/npmrc}" ] || continue
        mkdir -p "${file%/npmrc}"
        echo "registry=$1" >> "$file"
    done
}

# https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html
mirror_of_conda() {
    mkdir -p /etc/conda
    [ -f /etc/conda/.condarc ] || printf 'channels:\n  - conda-forge\n' > /etc/conda/.condarc
    cat >> /etc/conda/.condarc <<CONDARC
channel_alias: ${1%/}/cloud
default_channels:
  - ${1%/}/pkgs/main
  - ${1%/}/pkgs/r
CONDARC
}

mirror_of_mozilla() {
    sed -i "s#https://packages\.mozilla\.org/apt#${1%/}#" /etc/apt/sources.list.d/mozilla.sources
}

for pair in "$@"; do
    "mirror_of_${pair%%=*}" "${pair#*=}"
done
