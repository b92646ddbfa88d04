# A small Debian 12 with a systemd of its own, for packaging/test and packaging/reboot: namespaces and a debootstrap tree instead of a virtual machine.
# The network is the host's; kernel settings (/proc/sys, /sys) are read-only.
#
#   machine_base DIRECTORY            makes the tree that machines are copies of, once
#   machine_start NAME                boots a copy of it
#   machine NAME COMMAND...           runs a command in it
#   machine_reboot NAME               ends it in order, and boots it again
#   machine_stop_all                  ends them and removes all that they leave
#
# Wants $base (the tree) and $work (a directory of the caller's).

declare -A machine_pid=() # of the systemd in it
declare -A machine_keeper=()

machine_base() {
  [[ -e $1/.complete ]] && return
  rm -rf "$1"
  mkdir -p "$1"
  local mirror
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -1)
  debootstrap --variant=minbase --include=systemd,systemd-sysv,procps,ca-certificates bookworm "$1" ${mirror:+"$mirror"}
  chroot "$1" apt-get clean
  touch "$1/.complete"
}

# The first process of a machine: mounts, then its systemd.
machine_boot() {
  local root=$1 device
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,bind,ro "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mkdir "$root/run/host"
  cd "$root"
  pivot_root . run/host
  umount -l /run/host
  mount --make-rshared / # as systemd does outside of containers, so that units see what is mounted later
  exec env -i container=chroot PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
}

machine_start() {
  local name=$1 root=$work/$1 group
  [[ -d $root ]] || cp -a "$base" "$root"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  echo "$name" >"$root/etc/hostname"
  group=$(findmnt -n -t cgroup2 -o TARGET | head -1)/maildirsync-$$-$name
  mkdir -p "$group"
  (
    echo $BASHPID >"$group/cgroup.procs"
    exec unshare --pid --mount --uts --ipc --cgroup --fork --kill-child bash -c "$(declare -f machine_boot); machine_boot '$root'"
  ) </dev/null >"$work/$name.boot" 2>&1 &
  machine_keeper[$name]=$!
  local tries
  for ((tries = 0; tries < 300; ++tries)); do
    machine_pid[$name]=$(pgrep -P "${machine_keeper[$name]}" || true)
    if [[ -n ${machine_pid[$name]} ]] && machine "$name" systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then
      return
    fi
    sleep 0.1
  done
  echo "the machine $name does not boot: $(cat "$work/$name.boot")" >&2
  return 1
}

machine() {
  local name=$1
  shift
  nsenter --target "${machine_pid[$name]}" --all --root --wd env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}

machine_reboot() {
  local name=$1 tries
  kill -s SIGRTMIN+4 "${machine_pid[$name]}" # as its own poweroff, which wants a bus
  for ((tries = 0; tries < 300; ++tries)); do
    kill -0 "${machine_keeper[$name]}" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "${machine_keeper[$name]}" 2>/dev/null || true # what --kill-child holds ends with it
  wait "${machine_keeper[$name]}" 2>/dev/null || true
  machine_start "$name"
}

machine_stop_all() {
  local name group
  for name in "${!machine_keeper[@]}"; do
    kill -KILL "${machine_keeper[$name]}" 2>/dev/null || true
    wait "${machine_keeper[$name]}" 2>/dev/null || true
    group=$(findmnt -n -t cgroup2 -o TARGET | head -1)/maildirsync-$$-$name
    # The last process of the namespace may still be on its way out.
    for _ in {1..50}; do
      [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [[ -d $group ]] || break
      sleep 0.1
    done
    rm -rf --one-file-system "${work:?}/$name"
  done
}
