# shellcheck shell=bash
# The modern engine's network, beside the first engine's.

# Two engines with `iptables` on share the chains' names, and each empties them
# when it starts (moby/moby#34567). So this one writes no rules at all; the few
# that it needs are written here, in a chain of its own.

host_iptables() {
  # The machine's own command first: it knows whether rules live in nftables or
  # in the legacy tables, and a rule in the other set would not count.
  if command -v iptables >/dev/null; then iptables -w "$@"; else chroot "$ROOT" iptables -w "$@"; fi
}

# A range that no route of this machine covers; kept, because networks that users
# create are stored with their addresses.
choose_pool() {
  local file=$ENGINE_ROOT/pool
  if [[ ! -s $file ]]; then
    python3 - >"$file.part" <<'PY' || fail "every address range tried is in use" "echo 10.99.0.0/16 > $file"
import ipaddress, sys
routes = []
with open("/proc/net/route") as table:
    next(table)
    for line in table:
        _, target, _, _, _, _, _, mask = line.split()[:8]
        target, mask = (int.from_bytes(bytes.fromhex(x), "little") for x in (target, mask))
        if mask:
            routes.append(ipaddress.ip_network((target, bin(mask).count("1"))))
wanted = [f"10.{n}.0.0/16" for n in range(213, 223)] + ["172.30.0.0/16", "192.168.240.0/20"]
for pool in map(ipaddress.ip_network, wanted):
    if not any(pool.overlaps(route) for route in routes):
        print(pool)
        sys.exit()
sys.exit(1)
PY
    mv "$file.part" "$file"
  fi
  cat "$file"
}

# The default bridge takes the last /24 of the pool, networks of users the rest
# from its start.
bridge_address() { python3 -c 'import ipaddress, sys; print(list(ipaddress.ip_network(sys.argv[1]).subnets(new_prefix=24))[-1][1])' "$1"; }

uplink() { awk '$2 == "00000000" && $8 == "00000000" { print $1; exit }' /proc/net/route; }

network_up() {
  local pool=$1 address out other
  address=$(bridge_address "$pool")/24
  if [[ ! -d /sys/class/net/$BRIDGE ]]; then
    chroot "$ROOT" ip link add "$BRIDGE" type bridge
    chroot "$ROOT" ip address add "$address" dev "$BRIDGE"
  fi
  chroot "$ROOT" ip link set "$BRIDGE" up

  # Early in FORWARD, because another engine or a firewall sets its policy to DROP.
  # The default networks of the two engines do not reach each other, as two
  # networks of one engine do not.
  host_iptables -N "$CHAIN" 2>/dev/null || host_iptables -F "$CHAIN"
  host_iptables -A "$CHAIN" -d "$pool" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  host_iptables -A "$CHAIN" -s "$pool" -d "$pool" -j ACCEPT
  out=$(uplink)
  [[ -z $out ]] || host_iptables -A "$CHAIN" -s "$pool" -o "$out" -j ACCEPT
  for other in docker0 br-+; do
    host_iptables -A "$CHAIN" -s "$pool" -o "$other" -j DROP
    host_iptables -A "$CHAIN" -d "$pool" -i "$other" -j DROP
  done
  host_iptables -A "$CHAIN" -s "$pool" -j ACCEPT
  host_iptables -C FORWARD -j "$CHAIN" 2>/dev/null || host_iptables -I FORWARD -j "$CHAIN"
  host_iptables -t nat -C POSTROUTING -s "$pool" ! -d "$pool" -j MASQUERADE 2>/dev/null ||
    host_iptables -t nat -A POSTROUTING -s "$pool" ! -d "$pool" -j MASQUERADE
}

network_down() {
  local pool name
  pool=$(cat "$ENGINE_ROOT/pool" 2>/dev/null) || return 0
  host_iptables -D FORWARD -j "$CHAIN" 2>/dev/null || true
  host_iptables -F "$CHAIN" 2>/dev/null || true
  host_iptables -X "$CHAIN" 2>/dev/null || true
  host_iptables -t nat -D POSTROUTING -s "$pool" ! -d "$pool" -j MASQUERADE 2>/dev/null || true
  # An engine leaves the bridges of its networks behind; under the other store
  # the same addresses are given out again, and would be on two bridges then.
  chroot "$ROOT" ip -o -4 address show to "$pool" | while read -r _ name _; do
    chroot "$ROOT" ip link delete "$name"
  done
}
