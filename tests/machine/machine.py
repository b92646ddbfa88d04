"""A machine of its own kernel, without KVM, whose disks lose on a cut what was not flushed."""

import json
import os
import queue
import random
import shutil
import socket
import subprocess
import threading
import time

from lossy_disk import DiskServer, LossyDisk, seeded

MKFS = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}
# As distributions mount them.
OPTIONS = {"ext4": "errors=remount-ro", "xfs": "", "btrfs": ""}
SIZE = {"ext4": 192 << 20, "xfs": 384 << 20, "btrfs": 384 << 20}
DISKS = ("source", "destination")
PATIENCE = float(os.environ.get("MAILDIRSYNC_MACHINE_PATIENCE", "600"))


class Machine:
    """`lies`: once there is a mirror, the destination's disk answers flushes without doing them. `environment` is the
    receiver's."""

    def __init__(self, image, scratch, file_system, seed, *, lies=False, environment=None):
        self.image, self.scratch, self.file_system, self.seed = image, scratch, file_system, seed
        self.environment = environment or {}
        self.lies = lies
        self.disks = {}
        for name in DISKS:
            path = os.path.join(scratch, name)
            with open(path, "wb") as file:
                file.truncate(SIZE[file_system])
            subprocess.run([*MKFS[file_system], path], check=True, capture_output=True)
            self.disks[name] = LossyDisk(path)
        self.socket = os.path.join(scratch, "disks.sock")
        self.server = DiskServer(self.socket, self.disks)
        self.process = None
        self.cuts = 0

    # ---- the machine ----

    def boot(self):
        orders = os.path.join(self.scratch, f"orders{self.cuts}.sock")
        self.console = os.path.join(self.scratch, "console.log")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(orders)
        listener.listen()
        # Dies with the test, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1", "-m", "768", "-nodefaults",
                   "-no-user-config", "-display", "none", "-no-reboot", "-serial", "file:" + self.console,
                   "-kernel", self.image.kernel, "-initrd", self.image.initrd,
                   "-append", "console=ttyS0 quiet panic=-1 rdinit=/init mitigations=off random.trust_cpu=on no_timer_check"]
        for name in DISKS:
            command += ["-drive", f"file=nbd:unix:{self.socket}:exportname={name},format=raw,if=virtio,cache=writeback"]
        command += ["-device", "virtio-serial", "-chardev", f"socket,id=orders,path={orders}",
                    "-device", "virtserialport,chardev=orders,name=orders"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        listener.settimeout(60)
        self.connection, _ = listener.accept()
        listener.close()
        self.answers, self.events = queue.Queue(), queue.Queue()
        self.last_vouched = None
        threading.Thread(target=self._listen, args=(self.connection,), daemon=True).start()
        self.kernel = self.event("up")["kernel"]
        self.order("mount", options=OPTIONS[self.file_system], kind=self.file_system)

    def _listen(self, connection):
        with connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message.get("event") == "step":
                    self._note(message)
                    continue
                if message.get("event") == "vouched":
                    self.last_vouched = message
                (self.answers if "id" in message else self.events).put(message)

    def _note(self, step):
        """Of the traffic, for the guest that comes after this one."""
        if step["kind"] == "account":
            self.known["accounts"] += 1
        elif step["kind"] == "message":
            self.known["number"] = step["number"]
            self.known["messages"].append([step["base"], [step["place"]], False])
        elif step["kind"] == "place":
            self.known["messages"][step["index"]][1].append(step["place"])
        else:
            self.known["messages"][step["index"]][2] = True

    def _next(self, messages, what):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return messages.get(timeout=1)
            except queue.Empty:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    ended = "" if self.process.poll() is None else f", for its machine ended with {self.process.returncode}"
                    raise AssertionError(f"the guest did not {what}{ended}; its console: {self.last_words()}") from None

    def event(self, name):
        while True:
            message = self._next(self.events, f'come to "{name}"')
            if message["event"] == "broken":
                raise AssertionError("traffic broke: " + message["detail"])
            if message["event"] == name:
                return message

    def last_words(self):
        with open(self.console, encoding="utf-8", errors="replace") as console:
            return console.read()[-3000:]

    def order(self, do, **arguments):
        number = random.randrange(1 << 60)
        self.connection.sendall(json.dumps({"id": number, "do": do, "with": arguments}).encode() + b"\n")
        while True:
            answer = self._next(self.answers, f'answer "{do}"')
            if answer["id"] == number:
                if "error" in answer:
                    raise AssertionError(f"in the guest, {do}: {answer['error']}")
                return answer["answer"]

    def kill(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.connection.close()
        self.process = None

    def close(self):
        self.kill()
        self.server.close()
        for disk in self.disks.values():
            disk.close()

    # ---- what a test does with it ----

    def start_programs(self):
        self.order("start", side="receiver", environment=self.environment)
        self.order("start", side="agent", environment={})

    def cut_now(self, disks, chosen):
        """Gives the flush that is known to have vouched before, by the number that the guest has for it."""
        vouched = self.last_vouched
        keep = chosen.choice((0.0, 0.0, 0.5, 0.9))
        for name in disks:
            self.disks[name].cut(chosen, keep)
        self.cuts += 1
        return vouched

    def round(self, disks, *, whole_machine=False):
        """Traffic, a cut somewhere in it, and what is wrong then and after settling."""
        chosen = seeded(self.seed, self.file_system, self.cuts)
        while not self.events.empty():
            self.events.get()
        self.last_vouched = None
        self.known = self.order("describe")
        self.order("work")
        for _ in range(chosen.randrange(1, 4)):
            self.event("vouched")
        time.sleep(chosen.random() * 3)
        vouched = self.cut_now(DISKS if whole_machine else disks, chosen)
        if whole_machine:
            self.kill()
            for name in DISKS:
                self.disks[name].power_on()
            self.boot()
            self.order("restore", seed=chosen.random(), state=self.known, held=vouched["held"])
            found = self.order("examine", number=0, source_too=True)
        else:
            self.order("cut", disks=disks)
            for name in disks:
                self.disks[name].power_on()
            broken = self.order("power_on", disks=disks, options=OPTIONS[self.file_system], kind=self.file_system)
            if broken:
                return {"cut": self.cuts, "disks": disks, "wrong": ["file system: " + broken], "settled": None}
            found = self.order("examine", number=vouched["number"], source_too="source" in disks)
        self.order("start", side="receiver", environment=self.environment)
        if whole_machine or "source" in disks:
            self.order("start", side="agent", environment={})
        settled = self.order("settle")
        return {"cut": self.cuts, "disks": list(DISKS) if whole_machine else disks, "whole_machine": whole_machine, **found,
                "settled": settled}

    def wait_ready(self):
        """Both programs run, and a first flush has vouched."""
        self.order("begin", seed=self.seed)
        self.start_programs()
        settled = self.order("settle")
        if settled["flush"]["status"] != 0:
            raise AssertionError(f"no mirror at the start: {settled}; {self.order('log', side='agent')}; {self.order('log', side='receiver')}")
        self.order("sync")
        self.disks["destination"].lies = self.lies


def scratch_directory(name):
    path = os.path.join(os.environ.get("TMPDIR", "/var/tmp"), f"maildirsync-machine-{os.getpid()}-{name}")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path
