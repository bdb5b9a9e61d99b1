# shellcheck shell=sh
# Sourced at the start of every build step that needs the network. Applies what is
# true of the place that builds, none of which may reach the image:
#
#   /run/secrets/ca       PEM certificates to trust beside the usual ones
#   /run/secrets/mirrors  lines of name=value, all of them optional:
#     apt       the mirror's root, with debian/, debian-security/ and ubuntu/ below it
#     pypi      a Python package index
#     npm       an npm registry
#     conda     the mirror's root, with pkgs/ and cloud/ below it
#     pytorch   root of the wheel indexes, with cpu/, cu126/ … below it
#     nvidia    root of NVIDIA's package repositories
#     mozilla   what stands for https://packages.mozilla.org/apt
#     http_proxy, https_proxy
#               proxies by what is asked for
#     no_proxy  hosts to reach without them, with commas between
#
# Functions for steps: apt_lists, apt_upgrade, apt_install NAME…, make_locales NAME…,
# newer_pip PYTHON, build_venv FOLDER, and the addresses pytorch_index NAME and
# conda_channel NAME.
#
# apt_known FILE prints what the lists have of the packages in a file.
#
# Everything it makes lies in /tmp, which is a tmpfs during the step.
set -eu

place=/tmp/imagekit-build
mkdir -p "$place/apt.conf.d" "$place/sources.list.d"
chmod -R a+rX "$place"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore npm_config_update_notifier=false

mirror() {
    [ -s /run/secrets/mirrors ] || return 0
    sed -n "s/^$1=//p" /run/secrets/mirrors
}

# --- proxies; tools differ in the spelling that they read
proxied() {
    value=$(mirror "$1")
    [ -z "$value" ] || export "$1=$value" "$2=$value"
}
proxied http_proxy HTTP_PROXY
proxied https_proxy HTTPS_PROXY
proxied no_proxy NO_PROXY
# Said to apt too, because settings of the base image would win over variables.
for kind in http https; do
    value=$(mirror "${kind}_proxy")
    [ -z "$value" ] || echo "Acquire::$kind::Proxy \"$value\";"
done > "$place/apt.conf.d/zz-imagekit-proxy"

# --- certificates
if [ -s /run/secrets/ca ]; then
    cat /etc/ssl/certs/ca-certificates.crt /run/secrets/ca > "$place/ca.pem" 2>/dev/null ||
        cat /run/secrets/ca > "$place/ca.pem"
    chmod 0644 "$place/ca.pem"
    export SSL_CERT_FILE="$place/ca.pem" CURL_CA_BUNDLE="$place/ca.pem" \
        PIP_CERT="$place/ca.pem" REQUESTS_CA_BUNDLE="$place/ca.pem" \
        NODE_EXTRA_CA_CERTS="$place/ca.pem"
    echo "Acquire::https::CaInfo \"$place/ca.pem\";" > "$place/apt.conf.d/90imagekit-ca"
fi
# A base image without certificates gets them by apt in its first step. Over https that
# can only be done without asking the mirror for one; what apt takes, it takes by the
# archive's signature.
[ -s /etc/ssl/certs/ca-certificates.crt ] ||
    echo 'Acquire::https::Verify-Peer "false";' > "$place/apt.conf.d/90imagekit-first"

# --- mirrors for pip, npm and conda
pypi=$(mirror pypi)
npm=$(mirror npm)
conda=$(mirror conda)
[ -z "$pypi" ] || export PIP_INDEX_URL="$pypi"
[ -z "$npm" ] || export npm_config_registry="$npm"
[ -z "$conda" ] || export CONDA_CHANNEL_ALIAS="${conda%/}/cloud"
# pip takes packages without TLS only from hosts that it is told to trust.
trusted=$({ mirror pypi; mirror pytorch; } | sed -n 's#^http://\([^/]*\).*#\1#p')
[ -z "$trusted" ] || export PIP_TRUSTED_HOST="$trusted"

# The pip of Ubuntu 18.04 and 20.04 is too old to know how today's wheels are called
# (https://peps.python.org/pep-0600/). 18.04's also asks for PyPI by the name that it had before
# pip 10.0.1, which not every place resolves; the new name is the old one without "python.".
newer_pip() {
    case $("$1" -m pip --version) in
        "pip 9."*)
            old='from pip.models import PyPI; print(PyPI.simple_url.replace(".python.", "."))'
            index=${PIP_INDEX_URL:-$("$1" -c "$old")}
            ;;
        *) index= ;;
    esac
    "$1" -m pip install --quiet ${index:+"--index-url=$index"} 'pip>=20.3'
}
# An environment for a step's own tools.
build_venv() {
    python3 -m venv "$1" && newer_pip "$1/bin/python"
}
# The index of PyTorch's wheels for a CUDA version, such as cu126, or for none (cpu).
pytorch_index() {
    index=$(mirror pytorch)
    index=${index:-https://download.pytorch.org/whl}
    echo "${index%/}/$1"
}
# A channel by its name, such as conda-forge or pkgs/main, or where a mirror has it.
conda_channel() {
    case ${conda:+mirror}:$1 in
        :*) echo "$1" ;;
        mirror:pkgs/*) echo "${conda%/}/$1" ;;
        *) echo "${conda%/}/cloud/$1" ;;
    esac
}

# --- apt, with the image's own sources or, by their paths, with a mirror's
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ ! -f "$file" ] || cp "$file" "$place/${file#/etc/apt/}"
done
apt=$(mirror apt)
if [ -n "$apt" ]; then
    # Only paths directly below a host: other projects' repositories have such names too,
    # further down (…/linux/debian).
    archives='debian|debian-security|ubuntu|ubuntu-ports'
    find "$place"/sources.list* -type f -exec sed -i -E \
        "s#https?://[^/[:space:]]+/(($archives)/?)([[:space:]]|\$)#${apt%/}/\1\3#g" {} +
fi
mozilla=$(mirror mozilla)
[ -z "$mozilla" ] || find "$place"/sources.list* -type f -exec \
    sed -i "s#https://packages\.mozilla\.org/apt#${mozilla%/}#g" {} +
# docker-clean, which base images carry, would empty the cache after every step.
for file in /etc/apt/apt.conf.d/*; do
    [ "${file##*/}" = docker-clean ] || [ ! -f "$file" ] || cp "$file" "$place/apt.conf.d/"
done
# Paths that dpkg leaves out or keeps: the last match counts (dpkg(1), --path-exclude).
cat > "$place/apt.conf.d/95imagekit" <<'CONF'
APT::Update::Error-Mode "any";
Acquire::Retries "5";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
DPkg::Options {
    "--force-unsafe-io";
    "--path-exclude=/usr/share/doc/*";
    "--path-include=/usr/share/doc/*/copyright";
    "--path-exclude=/usr/share/man/*";
    "--path-exclude=/usr/share/info/*";
    "--path-exclude=/usr/share/locale/*";
    "--path-include=/usr/share/locale/locale.alias";
    "--path-include=/usr/share/locale/de*";
    "--path-include=/usr/share/locale/en*";
    "--path-include=/usr/share/locale/es*";
    "--path-include=/usr/share/locale/fr*";
    "--path-include=/usr/share/locale/ja*";
    "--path-include=/usr/share/locale/ko*";
    "--path-include=/usr/share/locale/ru*";
    "--path-include=/usr/share/locale/zh*";
};
CONF
cat > "$place/apt.conf" <<CONF
Dir::Etc::parts "$place/apt.conf.d";
Dir::Etc::sourcelist "$place/sources.list";
Dir::Etc::sourceparts "$place/sources.list.d";
CONF
chmod -R a+rX "$place"
export APT_CONFIG="$place/apt.conf"

# Package lists live in a cache that several steps and builds share; they are fetched
# when there are none, when they are older than an hour (by the folder's time: the files
# have the archive's), or when the archive has moved on.
# Every command says what its failure means: `set -e` does not hold inside `apt_install && …`.
apt_lists() {
    apt-get update && touch /var/lib/apt/lists
}
apt_fresh_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 0 -mmin -60)" ] &&
        [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit)" ] ||
        apt_lists
}
apt_upgrade() {
    apt_fresh_lists && apt-get upgrade --yes
}
make_locales() {
    for name; do
        localedef -i "${name%%.*}" -f UTF-8 "$name" || return
    done
}
apt_install() {
    apt_fresh_lists || return
    apt-get install --yes "$@" || { apt_lists && apt-get install --yes "$@"; } || return
    # Logs and caches that differ from run to run, and the identities that some packages make
    rm -f /var/log/dpkg.log /var/log/alternatives.log /var/log/apt/* \
        /var/cache/ldconfig/aux-cache /var/lib/dbus/machine-id /etc/ssh/ssh_host_*
    [ ! -e /etc/machine-id ] || : > /etc/machine-id
}
# Of the packages whose names begin the lines of a file, all that the lists have, one a line:
# name, version, architecture, SHA-256. Where apt keeps lists compressed, it has its own cat.
apt_known() {
    # shellcheck disable=SC2016  # apt's own variable
    apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' |
        while read -r list; do /usr/lib/apt/apt-helper cat-file "$list" && echo; done |
        awk -v wanted="$1" '
            BEGIN { while ((getline line < wanted) > 0) { split(line, word, " "); want[word[1]] = 1 } }
            /^Package: / { name = $2 }
            /^Version: / { version = $2 }
            /^Architecture: / { architecture = $2 }
            /^SHA256: / { if (name in want) print name, version, architecture, $2 }
        ' | sort -u
}

# A frozen build has a script of its own.
# shellcheck source=/dev/null
[ ! -f /run/imagekit-build/base/frozen/apt.sh ] || . /run/imagekit-build/base/frozen/apt.sh
