# shellcheck shell=bash
# The distribution's own engine.

# refuse_if_pointless HOST: cases where starting an engine here would not help.
refuse_if_pointless() {
  if [[ $1 == "$MODERN_HOST" ]]; then
    fail "DOCKER_HOST is the modern engine, which does not answer ($WHY)" \
      "sudo $SELF up --modern" "or: unset DOCKER_HOST"
  fi
  if [[ $1 != "$DEFAULT_HOST" && $1 != unix:///run/docker.sock ]]; then
    fail "DOCKER_HOST=$1 does not answer: $WHY" "start that engine, or: unset DOCKER_HOST"
  fi
  if ((WHY_CODE == 11)); then
    fail "an engine's socket is there, but $(id -un) may not use it" \
      "sudo usermod -aG docker $(id -un), then log in again (members of that group are as good as root)" \
      "or run the command that needs the engine with sudo"
  fi
  local rootless=${XDG_RUNTIME_DIR:-/nonexistent}/docker.sock
  if ((EUID)) && answers "unix://$rootless"; then
    fail "no engine on $1, but your own rootless one answers" "export DOCKER_HOST=unix://$rootless"
  fi
}

start_default() {
  local pid
  if systemd_runs; then
    systemctl start docker || fail "systemd could not start docker" "journalctl -u docker -n 50"
    echo systemd >"$MARKER"
    wait_for "$DEFAULT_HOST" 1 60 /dev/null
    say "started the docker service (log: journalctl -u docker)"
    return
  fi
  # The package's own start script may have begun already.
  if ! pid=$(live "$DEFAULT_PIDFILE" dockerd); then
    drop_stale "$DEFAULT_PIDFILE" /var/run/docker
    ensure_cgroups
    launch "$DEFAULT_LOG" dockerd
    pid=$LAUNCHED
  fi
  echo "process $pid $(started_at "$pid")" >"$MARKER"
  wait_for "$DEFAULT_HOST" "$pid" 60 "$DEFAULT_LOG"
  say "started dockerd in the background (process $pid, log $DEFAULT_LOG)"
}

up_default() {
  local host=${DOCKER_HOST:-$DEFAULT_HOST} pid
  if answers "$host"; then
    say "$VERSION answers on $host; nothing to do"
    return
  fi
  refuse_if_pointless "$host"
  need_root_and_debian up
  lock
  if answers "$host"; then
    say "another $SELF has just started it"
  elif pid=$(live "$DEFAULT_PIDFILE" dockerd); then
    say "dockerd runs (process $pid) and does not answer yet; waiting for it"
    wait_for "$DEFAULT_HOST" "$pid" 60 /dev/null
  else
    # Another brand of engine (docker-ce) conflicts with docker.io: keep it.
    command -v dockerd >/dev/null || install_packages docker.io
    install_packages iptables debootstrap debian-archive-keyring gpgv
    start_default
  fi
  say "$VERSION answers on $DEFAULT_HOST"
  [[ -z ${SUDO_USER:-} || ${SUDO_USER:-} == root ]] ||
    hint "to use it as $SUDO_USER: sudo usermod -aG docker $SUDO_USER, then log in again"
}

down_default() {
  local how='' pid='' since=''
  [[ ! -r $MARKER ]] || read -r how pid since <"$MARKER" || true
  if [[ -z $how ]]; then
    say "the default engine was not started by this script; left alone"
    return
  fi
  ((EUID == 0)) || fail "only root can stop it" "sudo $SELF down"
  lock
  if [[ $how == systemd ]]; then
    systemctl stop docker.socket docker.service
    say "stopped the default engine"
  elif [[ $(process_name "$pid") == dockerd && $(started_at "$pid") == "$since" ]]; then
    stop_process "$pid"
    say "stopped the default engine (process $pid)"
  else
    say "the default engine had ended already"
  fi
  rm -f "$MARKER"
}
