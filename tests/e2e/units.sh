#!/bin/bash
# What systemd and the kernel say about the units and the files beside them, as `cmake --install` puts them.
#
#   units.sh BUILD_DIR
set -euo pipefail

build=${1:?usage: units.sh BUILD_DIR}
most_exposed=20 # tenths, as systemd-analyze security counts
work=$(mktemp -d "${TMPDIR:-/tmp}/maildirsync-units.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
  echo "units.sh: $*" >&2
  failed=1
}

# Runs a command that must succeed and print nothing.
silent() {
  local said
  if ! said=$("$@" 2>&1) || [[ -n $said ]]; then
    complain "$*: $said"
  fi
}

root=$work/root
DESTDIR=$root cmake --install "$build" --prefix /usr >"$work/install.log" 2>&1 || {
  cat "$work/install.log" >&2
  exit 1
}
units=$(dirname "$(find "$root" -name maildirsyncd.service)")
[[ $units == "$root"*/lib/systemd/system ]] || complain "the units are in ${units#"$root"}"
[[ -d $root/etc/maildirsync ]] || complain "/etc/maildirsync is not made"

for unit in maildirsync-agent.service maildirsyncd.service; do
  grep -q '^ExecStart=/usr/sbin/' "$units/$unit" || complain "$unit does not start the program that is installed"
  # verify wants the program: the copy that it reads points into the temporary root.
  mkdir -p "$work/units"
  sed -E "s,^Exec(Start|Reload)=,&$root," "$units/$unit" >"$work/units/$unit"
  echo "verify $unit"
  silent env MANPATH="$root/usr/share/man" systemd-analyze verify --man=yes --recursive-errors=no "$work/units/$unit"
  systemd-analyze security --offline=true --threshold=$most_exposed --no-pager "$work/units/$unit" >"$work/security" ||
    complain "$unit is more exposed than allowed: $(grep -E '✗|Overall' "$work/security")"
  grep Overall "$work/security"
done

# A drop-in of the examples must leave its unit valid.
for example in "$root"/usr/share/doc/maildirsync*/examples/*.conf; do
  unit=$(sed -n 's,^# /etc/systemd/system/\(.*\)\.d/.*,\1,p' "$example")
  [[ -n $unit ]] || { complain "$example does not say where it belongs" && continue; }
  echo "verify $unit with $(basename "$example")"
  rm -rf "$work/dropin" && mkdir -p "$work/dropin/$unit.d"
  cp "$work/units/$unit" "$work/dropin/"
  cp "$example" "$work/dropin/$unit.d/"
  silent systemd-analyze verify --man=no --recursive-errors=no "$work/dropin/$unit"
done

# The capabilities are these and no others (docs/security.md says why).
capabilities() { sed -n "s/^$2=//p" "$units/$1" | xargs -n1 | sort | xargs; }
expect() {
  for key in CapabilityBoundingSet AmbientCapabilities; do
    [[ $(capabilities "$1" $key) == "$2" ]] || complain "$1: $key is $(capabilities "$1" $key), not $2"
  done
}
expect maildirsync-agent.service "CAP_DAC_READ_SEARCH"
expect maildirsyncd.service "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"

echo "sysctl"
while read -r key equals value; do
  [[ $equals == "=" && $value =~ ^[0-9]+$ ]] || complain "sysctl.d: not 'key = number': $key $equals $value"
  [[ -e /proc/sys/${key//.//} ]] || complain "sysctl.d: this kernel has no $key"
done < <(grep -v '^#' "$root/usr/lib/sysctl.d/60-maildirsync-agent.conf")

echo "sysusers, tmpfiles"
if [[ $(id -u) != 0 ]]; then
  echo "skipped: only root can make users and directories of theirs, even in a temporary root"
else
  touch "$root/etc/"{passwd,group,shadow,gshadow}
  systemd-sysusers --root="$root" maildirsync-agent.conf maildirsyncd.conf 2>"$work/sysusers" || complain "$(cat "$work/sysusers")"
  touch "$root/etc/maildirsync/agent.key" && chmod 0644 "$root/etc/maildirsync/agent.key"
  systemd-tmpfiles --root="$root" --create maildirsync-agent.conf maildirsyncd.conf 2>"$work/tmpfiles" || complain "$(cat "$work/tmpfiles")"
  for user in maildirsync-agent maildirsyncd; do
    id=$(sed -n "s/^$user:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/passwd")
    [[ -n $id ]] || complain "sysusers.d does not make $user"
    [[ $(stat -c '%a %u' "$root/var/lib/$user") == "700 $id" ]] || complain "/var/lib/$user: $(stat -c '%a %u' "$root/var/lib/$user")"
  done
  [[ $(stat -c %a "$root/etc/maildirsync/agent.key") == 600 ]] || complain "tmpfiles.d does not mend a key's mode"
fi

exit $failed
