#!/usr/bin/env bash
# Installs the Debian packages that a cluster with real containers needs, as root on Debian; says so first.
# Elsewhere it names what is missing and changes nothing: the embedded fallback (hollow workers) needs none of them.
# Usage: packages.sh [--test]    --test adds what only tests need (etcd as a peer, etcdctl).
set -euo pipefail

declare -A wanted=(
  [containerd]=containerd [runc]=runc [nft]=nftables [ip]=iproute2 [conntrack]=conntrack
  [/usr/lib/cni/bridge]=containernetworking-plugins [/bin/busybox]=busybox-static
)
if [[ "${1:-}" == --test ]]; then
  wanted[etcdctl]=etcd-client
  wanted[etcd]=etcd-server
fi

missing=()
for probe in "${!wanted[@]}"; do
  if [[ "$probe" == /* ]]; then
    [[ -e "$probe" ]] || missing+=("${wanted[$probe]}")
  else
    PATH="$PATH:/usr/sbin:/sbin" command -v "$probe" >/dev/null 2>&1 || missing+=("${wanted[$probe]}")
  fi
done
[[ ${#missing[@]} -eq 0 ]] && exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if [[ $(id -u) -ne 0 ]]; then
  echo "packages: not root, so these stay missing: ${missing[*]}"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "packages: no apt-get here; install by hand: ${missing[*]}"
  exit 0
fi
echo "packages: installing with apt-get: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# The packages' own services are not wanted: every worker has a containerd of its own, tests start their own etcd.
policy=/usr/sbin/policy-rc.d
made_policy=
if [[ ! -e $policy ]]; then printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; made_policy=1; fi
trap '[[ -z $made_policy ]] || rm -f "$policy"; rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 5 "$log"
  echo "packages: apt-get failed; going on without: ${missing[*]}"
fi
