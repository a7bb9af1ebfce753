#!/usr/bin/env bash
# Runs both README commands in a bare Debian root: Python, pip and venv, and nothing else (no compiler, EGL, GL,
# X11, Docker or GPU). Needs root and mmdebstrap. The host's pip settings and CA bundle go along, since a root
# without them may have no way to its package index. KEEP=1 leaves the root for inspection.
#
#     bash tests/e2e/bare_root.sh [RUN [NOTES]]
#
# What fails on a busy machine is run once more, alone (.ci/twice.py, RUN is its id). Into the folder NOTES go the names
# of the tests that were skipped in the root (skipped.txt) and of those that passed only then (flaky.txt).
set -euo pipefail
run="${1:-bare}"
notes="$(realpath -m "${2:-/tmp/bare-root-notes}")"
repo="$(cd "$(dirname "$0")/../.." && pwd)"
cd "$repo"
root="$(mktemp -d /tmp/bare-root.XXXXXX)"
finish() {
    umount -l "$root/proc" "$root/dev" 2>/dev/null || true
    if [ -z "${KEEP:-}" ]; then rm -rf --one-file-system "$root"; else echo "kept $root"; fi
}
trap finish EXIT

mmdebstrap --quiet --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates bookworm "$root" \
    >/dev/null
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
for setting in $(pip config list 2>/dev/null | sed -n "s/^global\.\(extra-index-url\|find-links\)='\(.*\)'$/\2/p"); do
    folder="${setting#file://}"
    [ -d "$folder" ] || continue
    mkdir -p "$root$(dirname "$folder")" && cp -a "$folder" "$root$(dirname "$folder")/"
done
[ -e /etc/pip.conf ] && cp /etc/pip.conf "$root/etc/pip.conf"
changed="$(git -C "$repo" stash create)" # a commit of what the checkout holds, empty where it is HEAD
mkdir "$root/wiw" && git -C "$repo" archive "${changed:-HEAD}" | tar -x -C "$root/wiw"

for tool in gcc cc docker nvidia-smi git Xorg; do
    if chroot "$root" sh -c "command -v $tool" >/dev/null; then
        echo "the root is not bare: it has $tool" >&2
        exit 1
    fi
done
if chroot "$root" sh -c 'ldconfig -p' | grep -E 'libGL|libEGL|libX11|libcuda|libOSMesa'; then
    echo "the root is not bare: it has a graphics library" >&2
    exit 1
fi

in_root() { # VARIABLE=VALUE... COMMAND
    chroot "$root" env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
        PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 "${@:1:$#-1}" \
        bash -ec "cd /wiw && ${*: -1}"
}
start=$SECONDS
in_root "$(python3 -m tests.e2e.readme_commands 1)" | tee "$root/run.log"
echo "command 1, installation included: $((SECONDS - start)) s"
grep -Eq 'success.*%.*\[.*\]' "$root/run.log" || { echo "command 1 printed no success with its interval" >&2; exit 1; }
grep -q 'report.html' "$root/run.log" || { echo "command 1 printed no report path" >&2; exit 1; }
start=$SECONDS
in_root PYTEST_ADDOPTS="-p tests.e2e.skipped" WIW_SKIPPED=/wiw/skipped.txt "$(python3 -m tests.e2e.readme_commands 2)" ||
    in_root WIW_FLAKY_HISTORY=/wiw/flaky.txt ".venv/bin/python .ci/twice.py '$run' again"
echo "command 2, installation included: $((SECONDS - start)) s"
mkdir -p "$notes"
touch "$root/wiw/flaky.txt"
cp "$root/wiw/skipped.txt" "$root/wiw/flaky.txt" "$notes/"
