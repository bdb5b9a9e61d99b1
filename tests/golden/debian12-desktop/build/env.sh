# shellcheck shell=sh
# Sourced at the start of every build step that needs the network. Applies what is
# true of the place that builds, none of which may reach the image:
#
#   /run/secrets/ca       PEM certificates to trust beside the usual ones
#   /run/secrets/mirrors  lines of name=URL: apt (the mirror's root, with debian/ and
#                         debian-security/ below it), pypi (an index), npm (a registry)
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

# --- mirrors for pip and npm
pypi=$(mirror pypi)
npm=$(mirror npm)
[ -z "$pypi" ] || export PIP_INDEX_URL="$pypi"
[ -z "$npm" ] || export npm_config_registry="$npm"

# --- apt, with the image's own sources or, by their paths, with a mirror's
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ ! -f "$file" ] || cp "$file" "$place/${file#/etc/apt/}"
done
apt=$(mirror apt)
if [ -n "$apt" ]; then
    find "$place/sources.list" "$place/sources.list.d" -type f -exec sed -i -E \
        "s#https?://[^/ ]+/((debian|debian-security|ubuntu|ubuntu-ports)/?)( |\$)#${apt%/}/\1\3#" {} +
fi
# docker-clean, which base images carry, would empty the cache after every step.
for file in /etc/apt/apt.conf.d/*; do
    [ "${file##*/}" = docker-clean ] || [ ! -f "$file" ] || cp "$file" "$place/apt.conf.d/"
done
# Paths that dpkg leaves out or keeps: the last match counts (dpkg(1), --path-exclude).
cat > "$place/apt.conf.d/95imagekit" <<'CONF'
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
    apt-get update --error-on=any && touch /var/lib/apt/lists
}
apt_fresh_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 0 -mmin -60)" ] &&
        [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit)" ] ||
        apt_lists
}
apt_upgrade() {
    apt_fresh_lists && apt-get upgrade --yes
}
apt_install() {
    apt_fresh_lists || return
    apt-get install --yes "$@" || { apt_lists && apt-get install --yes "$@"; } || return
    # Logs and caches that differ from run to run, and the identity that some packages make
    rm -f /var/log/dpkg.log /var/log/alternatives.log /var/log/apt/* \
        /var/cache/ldconfig/aux-cache /var/lib/dbus/machine-id
    [ ! -e /etc/machine-id ] || : > /etc/machine-id
}
