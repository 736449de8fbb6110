#!/bin/sh
# Installs or upgrades the agent of this NVA and its configuration from the packages of the deployment. Safe to run at any
# time: what is the same is left alone, and a configuration with a problem is never put in place.
set -eu

ENV_FILE=${ANYCAST_SETUP_ENV:-/etc/anycast-setup.env}
ETC=${ANYCAST_SETUP_ETC:-/etc/anycast-agent}
IMDS=${ANYCAST_SETUP_IMDS:-http://169.254.169.254/metadata/identity/oauth2/token}
. "$ENV_FILE"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "anycast-setup: $*"; }

token() {
  curl -fsS --max-time 10 -H Metadata:true "$IMDS?api-version=2018-02-01&client_id=$CLIENT_ID&resource=$1" |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])'
}

storage_token=$(token https%3A%2F%2Fstorage.azure.com%2F)
vault_token=$(token https%3A%2F%2Fvault.azure.net)

fetch() { # name in the container, file
  curl -fsS --max-time 300 -H "Authorization: Bearer $storage_token" -H 'x-ms-version: 2021-12-02' -o "$2" "$PACKAGES/$1"
}
secret() { # name in the vault, file
  (umask 077 && curl -fsS --max-time 30 -H "Authorization: Bearer $vault_token" "${VAULT}secrets/$1?api-version=7.4" |
    python3 -c 'import json,sys; sys.stdout.write(json.load(sys.stdin)["value"])' >"$2")
}

# --- the package, by its checksum
fetch anycast-agent.deb.sha256 "$work/sha256"
wanted=$(cut -c1-64 "$work/sha256")
installed=$(cat "$ETC/.package-sha256" 2>/dev/null || true)
if [ "$wanted" != "$installed" ]; then
  fetch anycast-agent.deb "$work/anycast-agent.deb"
  got=$(sha256sum "$work/anycast-agent.deb" | cut -c1-64)
  if [ "$got" != "$wanted" ]; then
    say "the package has checksum $got, expected $wanted; nothing was changed"
    exit 1
  fi
fi

# --- the configuration, checked by the program that will read it
mkdir -p "$work/etc"
fetch anycast.yaml "$work/etc/anycast.yaml"
fetch "$NVA/agent.yaml" "$work/etc/agent.yaml"
secret "agent-$NVA" "$work/etc/agent.pem"
python3 - "$work/etc" <<'PY'
import re, sys
folder = sys.argv[1]
text = open(folder + "/agent.pem").read()
blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", text, re.S)
parts = [m.group(0) for m in re.finditer(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", text, re.S)]
if "CERTIFICATE" not in blocks or not any("PRIVATE KEY" in b for b in blocks):
    sys.exit("the secret holds no certificate with its key")
open(folder + "/agent.crt", "w").write("\n".join(p for b, p in zip(blocks, parts) if b == "CERTIFICATE") + "\n")
open(folder + "/agent.key", "w").write("\n".join(p for b, p in zip(blocks, parts) if "PRIVATE KEY" in b) + "\n")
PY
rm "$work/etc/agent.pem"

if [ -f "$work/anycast-agent.deb" ]; then
  say "installing the package $wanted"
  dpkg -i "$work/anycast-agent.deb"
  echo "$wanted" >"$ETC/.package-sha256"
fi

# agent.yaml names files by their final place; the check reads the new ones beside it.
sed "s#$ETC/#$work/etc/#g" "$work/etc/agent.yaml" >"$work/etc/check.yaml"
if ! anycast-agent check-config -c "$work/etc/check.yaml"; then
  say "the new configuration has a problem; the old one stays"
  exit 1
fi

changed=no
for name in anycast.yaml agent.yaml agent.crt agent.key; do
  cmp -s "$work/etc/$name" "$ETC/$name" && continue
  changed=yes
  install -m 0640 -o root -g anycast-agent "$work/etc/$name" "$ETC/$name.new"
  mv "$ETC/$name.new" "$ETC/$name"
done

systemctl enable anycast-agent.service
if ! systemctl is-active --quiet anycast-agent.service; then
  systemctl restart anycast-agent.service
  say "started"
elif [ "$changed" = yes ]; then
  systemctl reload anycast-agent.service
  say "reloaded with the new configuration"
else
  say "nothing to change"
fi
