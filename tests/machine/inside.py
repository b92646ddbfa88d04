"""The first process of the guest: mounts, starts the programs, makes traffic, looks at what a cut has left. It takes orders
from the test as lines of JSON over a port and answers each; while traffic runs it also tells of each flush."""

import ctypes
import json
import os
import signal
import subprocess
import threading
import time
import traceback
import uuid

import traffic

DISKS = {"source": "/dev/vda", "destination": "/dev/vdb"}
BLKFLSBUF = 0x1261
libc = ctypes.CDLL(None, use_errno=True)

AGENT = """
receiver = "127.0.0.1:4465"
state_dir = "/source/state"
control = "/run/agent.sock"
[tls]
certificate = "/etc/maildirsync/agent.crt"
key = "/etc/maildirsync/agent.key"
receiver_fingerprint = "{receiver}"
[[root]]
name = "vhosts"
path = "/source/mail"
accounts = "%d/%n"
[transfer]
connections = 2
"""
RECEIVER = """
listen = "127.0.0.1:4465"
state_dir = "/destination/state"
control = "/run/receiver.sock"
[tls]
certificate = "/etc/maildirsync/receiver.crt"
key = "/etc/maildirsync/receiver.key"
[[peer]]
name = "old"
fingerprint = "{agent}"
  [[peer.root]]
  name = "vhosts"
  path = "/destination/mail"
    [peer.root.owner]
    policy = "numeric"
"""
NAMES = {"agent": "maildirsync-agent", "receiver": "maildirsyncd"}


def check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(device, where, kind, flags=0, options=""):
    check(libc.mount(device.encode(), where.encode(), kind.encode(), flags, options.encode()), f"mount {device} {where}")


def load_modules():
    with open("/modules", encoding="ascii") as listed:
        for name in listed.read().split():
            descriptor = os.open("/" + name, os.O_RDONLY)
            libc.syscall(313, descriptor, b"", 0)  # finit_module; one that is there already is no error
            os.close(descriptor)


def loopback_up():
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running


def port():
    for _ in range(100):
        for name in os.listdir("/sys/class/virtio-ports") if os.path.exists("/sys/class/virtio-ports") else ():
            with open(f"/sys/class/virtio-ports/{name}/name", encoding="ascii") as file:
                if file.read().strip() == "orders":
                    return os.open("/dev/" + name, os.O_RDWR)
        time.sleep(0.1)
    raise RuntimeError("no port for orders")


class Guest:
    def __init__(self, descriptor):
        self.port = descriptor
        self.lock = threading.Lock()
        self.processes = {}
        self.environment = {}
        self.traffic = None
        self.worker = None
        self.over = threading.Event()

    def say(self, **message):
        line = json.dumps(message).encode() + b"\n"
        with self.lock:
            while line:
                line = line[os.write(self.port, line) :]

    # ---- orders ----

    def mount(self, options, kind):
        for name, device in DISKS.items():
            mount(device, "/" + name, kind, 1024, options)  # noatime
            for below in ("mail", "state"):
                os.makedirs(f"/{name}/{below}", exist_ok=True)
            os.sync()

    def begin(self, seed):
        """New accounts, at the source."""
        self.traffic = traffic.Traffic("/source/mail", seed)
        for account in self.traffic.accounts:
            self.traffic.make_account(account)

    def restore(self, seed, state, held):
        """What an earlier guest knew of the traffic, and what its last flush vouched for: flush 0 of this one."""
        self.traffic = traffic.Traffic("/source/mail", seed, accounts=state["accounts"])
        self.traffic.number = state["number"]
        for base, places, gone in state["messages"]:
            message = traffic.Message(base, places[0])
            message.places, message.gone = places, gone
            self.traffic.messages.append(message)
        self.traffic.vouched = [[(self.traffic.messages[i], count) for i, count in held]]

    def start(self, side, environment):
        name = NAMES[side]
        log = open(f"/run/{side}.log", "ab")
        self.processes[side] = subprocess.Popen(
            [name, "--config", f"/run/{side}.toml"], stdout=log, stderr=log, env=dict(os.environ, **environment))

    def log(self, side, lines=30):
        with open(f"/run/{side}.log", encoding="utf-8", errors="replace") as log:
            return log.read().splitlines()[-lines:]

    def ask(self, arguments, side="agent"):
        done = subprocess.run(["maildirsync", "--control", f"/run/{side}.sock", *arguments], capture_output=True, text=True, check=False)
        return {"status": done.returncode, "out": done.stdout, "err": done.stderr}

    def flush(self, timeout=120):
        return self.ask(["flush", "--timeout", str(timeout)])

    def work(self):
        """Until a cut is told of. Each flush that vouched is told."""
        self.over.clear()
        self.traffic.vouched = []
        self.traffic.tell = lambda **step: self.say(event="step", **step)

        def run():
            try:
                traffic.work(self.traffic, lambda: self.flush()["status"] == 0,
                             lambda number: self.say(event="vouched", number=number, held=self.held(number)), self.over.is_set)
            except Exception:
                self.say(event="broken", detail=traceback.format_exc())

        self.worker = threading.Thread(target=run)
        self.worker.start()

    def held(self, number):
        index = {id(message): i for i, message in enumerate(self.traffic.messages)}
        return [(index[id(message)], count) for message, count in self.traffic.vouched[number]]

    def describe(self):
        """All that a later guest has to know of the traffic."""
        return {
            "accounts": len(self.traffic.accounts),
            "number": self.traffic.number,
            "messages": [(message.base, message.places, message.gone) for message in self.traffic.messages],
        }

    def cut(self, disks, new_boot=True):
        """The power of these disks has gone: what used them goes, and is mounted again once `power_on` says so."""
        self.over.set()
        for side, process in list(self.processes.items()):
            if side == "receiver" or "source" in disks:
                process.send_signal(signal.SIGKILL)
                process.wait()
                del self.processes[side]
        if self.worker:
            self.worker.join()
        for name in disks:
            for _ in range(200):
                if libc.umount2(("/" + name).encode(), 0) == 0:
                    break
                time.sleep(0.05)
            else:
                raise OSError(f"/{name} stays in use")
        if new_boot:
            self.another_boot()

    def another_boot(self):
        """The programs are to see another boot id: what a power cut of the whole machine gives them."""
        with open("/run/boot_id", "w", encoding="ascii") as out:
            out.write(str(uuid.uuid4()) + "\n")
        mount("/run/boot_id", "/proc/sys/kernel/random/boot_id", "none", 4096)  # MS_BIND

    def power_on(self, disks, options, kind):
        import fcntl

        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as out:
            out.write("3")
        for name in disks:
            descriptor = os.open(DISKS[name], os.O_RDONLY)
            fcntl.ioctl(descriptor, BLKFLSBUF, 0)
            os.close(descriptor)
            try:
                mount(DISKS[name], "/" + name, kind, 1024, options)
            except OSError as error:  # what a device that lies may leave
                return str(error)
        return None

    def examine(self, number, source_too):
        """What a flush had vouched for, by what the cut has left; and then the source is as it is found."""
        held = self.traffic.vouched[number]
        wrong = traffic.wrong_below("/destination/mail", self.traffic, held)
        if source_too:
            self.traffic.as_found()
        return {"vouched": len(held), "wrong": wrong}

    def settle(self, timeout=300):
        """Once both programs run again: a flush, and what differs after it."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.flush(timeout)
            if done["status"] == 0 or time.monotonic() > deadline:
                break
            time.sleep(1)
        status = self.ask(["status", "--json"])
        differences = traffic.differences("/source/mail", "/destination/mail")
        return {"flush": done, "differences": differences, "problems": json.loads(status["out"] or "{}").get("problems"),
                "messages": len(list(traffic.files_below("/destination/mail")))}

    def sync(self):
        os.sync()

    def release(self):
        self.ask(["release"])

    def kernel(self):
        return os.uname().release

    def orders(self):
        rest = b""
        while True:
            got = os.read(self.port, 65536)
            if not got:
                time.sleep(0.05)
                continue
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                order = json.loads(line)
                try:
                    answer = getattr(self, order["do"])(**order.get("with", {}))
                    self.say(id=order["id"], answer=answer)
                except Exception:
                    self.say(id=order["id"], error=traceback.format_exc())


def main():
    os.environ["PATH"] = "/usr/bin"
    for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run"), ("tmpfs", "/tmp")):
        mount(kind, where, kind)
    load_modules()
    loopback_up()
    keys = {}
    for side in ("agent", "receiver"):
        out = subprocess.run(["maildirsync", "fingerprint", f"/etc/maildirsync/{side}.crt"], capture_output=True, text=True, check=False)
        keys[side] = out.stdout.strip()
    for side, text in (("agent", AGENT), ("receiver", RECEIVER)):
        with open(f"/run/{side}.toml", "w", encoding="ascii") as config:
            config.write(text.format(**keys))
    guest = Guest(port())
    guest.say(event="up", kernel=os.uname().release)
    guest.orders()
