#!/usr/bin/env bash
# Makes the image wiw-bench/debian:bookworm-python (Debian, Python 3.11, pip, venv, this machine's CA bundle) without
# any image registry: the base that images are built on where no registry can be reached, as in CI. It does nothing
# if the image is there; --force makes it anew. Needs root, mmdebstrap and a running engine. Mirrors are the host's.
set -euo pipefail
image=wiw-bench/debian:bookworm-python
if [ "${1:-}" != --force ] && docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image is there"
    exit 0
fi
root="$(mktemp -d)"
trap 'rm -rf --one-file-system "$root"' EXIT
mmdebstrap --quiet --variant=minbase --format=tar \
    --include=python3,python3-venv,python3-pip,ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' \
    bookworm "$root/root.tar" >/dev/null
docker import --change 'CMD ["bash"]' --message 'Debian bookworm with Python' "$root/root.tar" "$image" >/dev/null
docker image inspect --format "made $image {{.Id}} ({{.Size}} bytes)" "$image"
