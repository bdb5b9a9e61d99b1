# shellcheck shell=bash
# Starting and stopping the modern engine.

# enter ROOT DATA COMMAND…: runs in a mount namespace of its own (see start_modern)
# and makes ROOT its root. Not chroot: there `/` is no mount point, and the engine
# fails at the first image ("remount /: invalid argument").
enter() {
  local root=$1 data=$2 dir
  shift 2
  mount --bind "$root" "$root"
  # The machine's own folders, so that `-v /home/…` and `-v /tmp/…` mean the same
  # here as on any other engine. The rest belongs to the engine's own system.
  for dir in /*; do
    case $dir in
      /bin | /sbin | /lib* | /usr | /etc | /var | /boot | /run | /lost+found) continue ;;
    esac
    [[ -d $dir && ! -L $dir ]] || continue
    mkdir -p "$root$dir"
    mount --rbind "$dir" "$root$dir"
  done
  # Not recursive: the other engine's network namespaces are mounted in there.
  mount --bind /run "$root/run"
  # A containerd of the machine would be found and used, plugins of the other
  # engine likewise.
  for dir in containerd docker nri; do
    mkdir -p "$RUN/own-$dir" "$root/run/$dir"
    mount --bind "$RUN/own-$dir" "$root/run/$dir"
  done
  mkdir -p "$root$data"
  mount --bind "$data" "$root$data"
  for dir in /etc/docker/certs.d /etc/cdi; do
    [[ -d $dir ]] || continue
    mkdir -p "$root$dir"
    mount --bind "$dir" "$root$dir"
  done
  cd "$root"
  mkdir -p .machine
  pivot_root . .machine
  cd /
  umount --lazy /.machine
  exec "$@"
}

daemon_json() {
  local pool=$1 containerd=true driver='' group
  # By number: the group's may be another one inside.
  group=$(getent group docker | cut -d: -f3) || group=0
  if [[ $ENGINE_STORE == overlay2 ]]; then
    containerd=false driver='"storage-driver": "overlay2",'
  fi
  cat <<JSON
{
  "features": {"containerd-snapshotter": $containerd}, $driver
  "default-address-pools": [{"base": "$pool", "size": 24}],
  "labels": ["dev.imagekit.suite=$ENGINE_SUITE"],
  "bridge": "$BRIDGE", "iptables": false, "ip6tables": false,
  "hosts": ["$MODERN_HOST"], "group": "$group",
  "data-root": "$DATA", "exec-root": "$RUN/exec", "pidfile": "$MODERN_PIDFILE"
}
JSON
}

# An engine that is given a bridge of its own deletes whatever is called docker0 when it
# starts (moby, daemon/daemon_unix.go, removeDefaultBridgeInterface): the first engine's
# bridge, and with it the network of its containers. Under another name it is left alone,
# with its address and everything attached to it.
hide_docker0() {
  [[ -d /sys/class/net/docker0 ]] || return 0
  trap show_docker0 EXIT
  chroot "$ROOT" ip link set docker0 down
  chroot "$ROOT" ip link set docker0 name docker0-kept
}

show_docker0() {
  [[ -d /sys/class/net/docker0-kept ]] || return 0
  chroot "$ROOT" ip link set docker0-kept down
  chroot "$ROOT" ip link set docker0-kept name docker0
  chroot "$ROOT" ip link set docker0 up
}

start_modern() {
  local pool
  pool=$(choose_pool)
  mkdir -p "$DATA" "$ROOT/etc/docker"
  drop_stale "$MODERN_PIDFILE" "$RUN/exec"
  ensure_cgroups
  refresh_root
  network_up "$pool"
  daemon_json "$pool" >"$ROOT/etc/docker/daemon.json"
  # "slave": what is mounted on the machine later appears inside too, and a disk
  # unmounted there is not held; nothing goes the other way.
  hide_docker0
  launch "$MODERN_LOG" unshare --mount --propagation slave "$SELF" enter "$ROOT" "$DATA" dockerd
  wait_for "$MODERN_HOST" "$LAUNCHED" 60 "$MODERN_LOG"
  show_docker0
  say "started dockerd in $ROOT (process $LAUNCHED, log $MODERN_LOG)"
}

is_as_asked() { answers "$MODERN_HOST" && [[ $STORE/$SUITE == "$ENGINE_STORE/$ENGINE_SUITE" ]]; }

up_modern() {
  local pid
  ROOT=$ENGINE_ROOT/root-$ENGINE_SUITE
  # Data of one engine version or store is not readable by another.
  DATA=$ENGINE_ROOT/data-$ENGINE_SUITE-$ENGINE_STORE
  if is_as_asked; then
    say "$VERSION ($SUITE, $STORE store) answers; nothing to do"
    # Except for root: a reloaded firewall drops our rules without a word.
    ((EUID)) || { lock && network_up "$(choose_pool)"; }
    echo "DOCKER_HOST=$MODERN_HOST"
    return
  fi
  ((WHY_CODE != 11)) || fail "the modern engine's socket is there, but $(id -un) may not use it" \
    "sudo usermod -aG docker $(id -un), then: sudo $SELF down --modern; sudo $SELF up --modern; and log in again"
  need_root_and_debian up --modern
  lock
  if ! is_as_asked; then # still so, now that we have the lock
    ensure_root
    if pid=$(live "$MODERN_PIDFILE" dockerd); then
      say "stopping the modern engine and its containers (${SUITE:-unknown suite}, ${STORE:-no answer}) to switch to $ENGINE_SUITE, $ENGINE_STORE"
      stop_process "$pid"
      network_down
    fi
    start_modern
  fi
  say "$VERSION ($SUITE, $STORE store) answers"
  echo "DOCKER_HOST=$MODERN_HOST"
}

down_modern() {
  local pid
  ((EUID == 0)) || fail "only root can stop it" "sudo $SELF down --modern"
  lock
  if answers "$MODERN_HOST"; then ENGINE_SUITE=$SUITE; fi
  ROOT=$ENGINE_ROOT/root-$ENGINE_SUITE
  if pid=$(live "$MODERN_PIDFILE" dockerd); then
    stop_process "$pid"
    say "stopped the modern engine (process $pid); its images stay in $ENGINE_ROOT"
  else
    say "the modern engine does not run"
  fi
  [[ ! -d $ROOT ]] || network_down
}
