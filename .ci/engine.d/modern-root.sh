# shellcheck shell=bash
# The root that the modern engine lives in.

# The mirror that apt uses here, so that a local mirror or an offline copy serves
# this too. On Ubuntu there is none, and debootstrap's own default is used.
host_mirror() {
  apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' 'Component: main' 2>/dev/null | head -n 1 || true
}

debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [[ ! -r $file ]] || { echo "$file"; return; }
  done
  fail "no keyring of the Debian archive in /usr/share/keyrings" "apt-get install debian-archive-keyring"
}

# bootstrap TARGET MIRROR: the script name is given because an older debootstrap
# does not know the newest suites; it is the same for all of them. The signature
# of the archive is required.
bootstrap() {
  local keyring PROXY=''
  keyring=$(debian_keyring) || exit # errexit is off in a function that `if` calls
  eval "$(apt-config shell PROXY Acquire::http::Proxy)"
  rm -rf --one-file-system "$1"
  http_proxy=${http_proxy:-$PROXY} debootstrap --variant=minbase --force-check-gpg --keyring="$keyring" \
    --include=docker.io,iptables,iproute2,procps,ca-certificates \
    "$ENGINE_SUITE" "$1" "$2" sid >"$SETUP_LOG" 2>&1 9>&-
}

# Made under another name, so that half a root is never taken for one.
ensure_root() {
  [[ ! -x $ROOT/usr/sbin/dockerd ]] || return 0
  local part=$ROOT.part mirror=${ENGINE_MIRROR:-$(host_mirror)}
  install_packages debootstrap debian-archive-keyring gpgv
  mkdir -p "$ENGINE_ROOT"
  say "installing Debian $ENGINE_SUITE's engine into $ROOT (a minute or so; log $SETUP_LOG)"
  if ! bootstrap "$part" "$mirror"; then
    # A local mirror need not carry a suite that nobody here runs.
    if [[ -n ${ENGINE_MIRROR:-} || -z $mirror ]] || ! bootstrap "$part" ''; then
      show_end "$SETUP_LOG"
      fail "debootstrap could not install Debian $ENGINE_SUITE" \
        "the network, or a mirror without that suite: set ENGINE_MIRROR" \
        "for a signature by an unknown key, install a newer debian-archive-keyring, or take an older engine: ENGINE_SUITE=trixie"
    fi
  fi
  grep -q 'Valid Release signature' "$SETUP_LOG" || fail "debootstrap did not check the archive's signature" "see $SETUP_LOG"
  rm -rf "$part"/var/cache/apt/archives/*.deb "$part"/var/lib/apt/lists/*
  mv "$part" "$ROOT"
}

# What a machine knows about its network must hold inside too. Copied at each
# start: these files are replaced rather than rewritten, so a bind mount would age.
refresh_root() {
  local file
  for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [[ ! -r $file ]] || cp -L --remove-destination "$file" "$ROOT$file"
  done
}
