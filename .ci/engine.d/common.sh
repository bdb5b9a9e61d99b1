# shellcheck shell=bash
# Messages, asking an engine, processes, and the machine: what both engines need.

say() { echo "engine: $*" >&2; }
hint() { echo "  hint: $*" >&2; }

# fail MESSAGE [HINT…]: no engine, and what to do about it.
fail() {
  say "$1"
  shift
  local text
  for text in "$@"; do hint "$text"; done
  exit 3
}

show_end() {
  say "the end of $1:"
  tail -n 15 "$1" 2>/dev/null | sed 's/^/  | /' >&2 || true
}

# probe HOST: what probe.py says of the engine there.
probe() {
  python3 "$HERE/probe.py" "$1"
}

# answers HOST: fills STORE, SUITE and VERSION; on failure WHY and WHY_CODE.
answers() {
  local line
  WHY='' WHY_CODE=0
  line=$(probe "$1") || WHY_CODE=$?
  if ((WHY_CODE)); then
    WHY=$line
    return 1
  fi
  read -r STORE SUITE VERSION <<<"$line"
}

process_name() { cat "/proc/$1/comm" 2>/dev/null || true; }

# A process id alone comes round again; together with its start time it does not.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# live PIDFILE NAME: prints the id if that process exists and has that name.
live() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ && $(process_name "$pid") == "$2" ]] && echo "$pid"
}

# drop_stale PIDFILE EXEC_ROOT: dockerd believes a pid file whose number belongs
# to any process at all, will not start, and for containerd's pid file it even
# kills that process. Such files survive a crash, and a reboot where /run is on disk.
drop_stale() {
  live "$1" dockerd >/dev/null || rm -f "$1"
  live "$2/containerd/containerd.pid" containerd >/dev/null || rm -f "$2/containerd/containerd.pid"
}

# launch LOG COMMAND…: a process that outlives this script, make and the terminal.
# It inherits nothing: it would hold our lock for ever, and keep whoever reads to
# the end of an inherited pipe (make -j, a test runner) waiting.
launch() {
  local log=$1 fd
  shift
  [[ ! -e $log ]] || mv -f "$log" "$log.1"
  (
    cd /
    for fd in "/proc/$BASHPID/fd"/*; do
      fd=${fd##*/}
      ((fd <= 2)) || eval "exec $fd>&-"
    done
    exec setsid "$@" </dev/null >"$log" 2>&1
  ) &
  LAUNCHED=$!
}

# wait_for HOST PID SECONDS LOG: until it answers; at once no when PID has died.
wait_for() {
  local end=$((SECONDS + $3))
  until answers "$1"; do
    if [[ ! -d /proc/$2 ]]; then
      show_end "$4"
      fail "the engine ended before it answered" "the log above says why; the whole of it is in $4"
    fi
    if ((SECONDS >= end)); then
      show_end "$4"
      fail "the engine (process $2) does not answer after $3 s ($WHY)" "the log above may say why; the whole of it is in $4"
    fi
    sleep 0.2
  done
}

# stop_process PID: an engine gives its containers some seconds each to end.
stop_process() {
  local end=$((SECONDS + 90))
  kill "$1"
  while [[ -d /proc/$1 ]]; do
    ((SECONDS < end)) || fail "process $1 does not end" "look at its log, then: kill -9 $1"
    sleep 0.2
  done
}

systemd_runs() { [[ $(process_name 1) == systemd ]]; }

like_debian() {
  local ID='' ID_LIKE=''
  [[ -r /etc/os-release ]] || return 1
  # shellcheck source=/dev/null
  . /etc/os-release
  [[ " $ID $ID_LIKE " == *" debian "* || $ID == ubuntu ]] && command -v apt-get >/dev/null
}

# Everything below this needs root and apt; say it before touching anything.
need_root_and_debian() {
  like_debian || fail "this machine is neither Debian nor Ubuntu, so nothing is installed here" \
    "install Docker Engine by your system's own means and start it, then try again" \
    "or use an engine elsewhere: export DOCKER_HOST=ssh://USER@MACHINE"
  ((EUID == 0)) || fail "only root can install and start an engine" \
    "sudo $SELF $*" "or use an engine elsewhere: export DOCKER_HOST=ssh://USER@MACHINE"
}

# Two of us at once would start two daemons on one socket.
lock() {
  mkdir -p "$RUN"
  exec 9>"$RUN/lock"
  flock -w 900 9 || fail "another $SELF has been at work for 15 minutes" "see what it does: fuser -v $RUN/lock"
}

# The engine needs control groups; systemd or a start script mounts them elsewhere.
ensure_cgroups() {
  if ! grep -qE '^[^ ]+ /sys/fs/cgroup[^ ]* cgroup' /proc/mounts; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
  fi
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
    install -y --no-install-recommends "$@" >>"$SETUP_LOG" 2>&1 9>&-
}

# install_packages NAME…: package lists may be absent (container images) or too
# old to name files that still exist, so a failure refreshes them and tries again.
install_packages() {
  local missing=() name
  for name in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  : >"$SETUP_LOG"
  apt_install "${missing[@]}" && return
  apt-get update >>"$SETUP_LOG" 2>&1 9>&- || true
  apt_install "${missing[@]}" && return
  show_end "$SETUP_LOG"
  fail "apt-get could not install ${missing[*]}" "mend what the log says, then try again"
}
