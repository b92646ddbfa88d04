"""syncthing: two private instances that know only each other, on loopback."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as xml

from maildirsync_testing import free_port, wait_until

from .measure import Measurement, MemoryWatch, cpu_of_tree
from .network import Line, SshServer
from .peers import SLOW, Peer
from .programs import make_anew

KEY = "bench"  # of the REST API
FOLDER = "mail"
# It is to talk to nobody else, and to be as important as the others.
OPTIONS = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "stunKeepaliveStartS": "0",
    "urAccepted": "-1",
    "crashReportingEnabled": "false",
    "autoUpgradeIntervalH": "0",
    "startBrowser": "false",
    "setLowPriority": "false",
    "reconnectionIntervalS": "1",
}


class Instance:
    """One process with a home of its own."""

    def __init__(self, home: str, tree: str, kind: str):
        self.home, self._tree, self._kind = home, tree, kind
        self.port, self._gui = free_port(), free_port()
        self.process: subprocess.Popen | None = None
        make_anew(home)
        self._run("generate", "--no-default-folder", "--skip-port-probing")
        self.id = self._run("serve", "--device-id").strip()

    def _command(self, *words: str) -> list[str]:
        return ["env", f"HOME={self.home}", "STNOUPGRADE=1", "syncthing", *words, f"--home={self.home}"]

    def _run(self, *words: str) -> str:
        return subprocess.run(self._command(*words), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout

    def configure(self, other: "Instance", address: str, marker: str) -> None:
        """`marker` is what has to be in the tree lest it be taken for unmounted: none of its own is put into the source."""
        path = os.path.join(self.home, "config.xml")
        tree = xml.parse(path)
        root = tree.getroot()
        for name in ("device", "folder"):
            for element in root.findall(name):
                root.remove(element)
        for device, where in ((self.id, "dynamic"), (other.id, address)):
            element = xml.SubElement(root, "device", id=device, compression="always")
            xml.SubElement(element, "address").text = where
        folder = xml.SubElement(root, "folder", id=FOLDER, path=self._tree, type=self._kind)
        xml.SubElement(folder, "markerName").text = marker
        for device in (self.id, other.id):
            xml.SubElement(folder, "device", id=device)
        for parent, values in (
            ("gui", {"address": f"127.0.0.1:{self._gui}", "apikey": KEY}),
            ("options", {**OPTIONS, "listenAddress": f"tcp://127.0.0.1:{self.port}"}),
        ):
            for name, value in values.items():
                element = root.find(f"{parent}/{name}")
                (xml.SubElement(root.find(parent), name) if element is None else element).text = value
        tree.write(path)

    def start(self) -> None:
        with open(os.path.join(self.home, "log"), "wb") as log:
            self.process = subprocess.Popen(
                self._command("serve", "--no-browser", "--no-restart"), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def ask(self, what: str) -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{self._gui}/rest/{what}", headers={"X-API-Key": KEY})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"syncthing ended: {open(os.path.join(self.home, 'log'), encoding='utf-8').read()[-1000:]}")
        try:
            return bool(self.ask("system/ping"))
        except OSError:
            return False

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            process.wait()


class Syncthing(Peer):
    """Compresses all, not only its metadata. Keeps no owners."""

    name = "syncthing"
    programs = ("syncthing",)
    durable = True

    def __init__(self, ssh: SshServer, source: str, destination: str, line: Line = Line()):
        self._source = Instance(destination + ".source-home", source, "sendonly")
        self._destination = Instance(destination + ".home", destination, "receiveonly")
        super().__init__(ssh, source, destination, line)
        marker = min(os.listdir(source))
        os.mkdir(os.path.join(destination, marker))
        self._source.configure(self._destination, f"tcp://127.0.0.1:{self._link.port}", marker)
        self._destination.configure(self._source, "dynamic", marker)
        self._files = sum(len(names) for _, _, names in os.walk(os.fsencode(source)))

    def port(self) -> int:
        return self._destination.port

    def _is_done(self) -> bool:
        status = self._destination.ask(f"db/status?folder={FOLDER}")
        return status["globalFiles"] >= self._files and status["needTotalItems"] == 0 and status["needBytes"] == 0 and status["state"] == "idle"

    def copy(self) -> Measurement:
        """From the start of the source's instance, which has all to read; the other one waits for it."""
        self._destination.start()
        wait_until(self._destination.answers, "syncthing answers")
        os.sync()
        cpu, wire = cpu_of_tree(self._destination.process.pid), self._link.bytes()
        start = time.monotonic()
        self._source.start()
        memory = MemoryWatch(source=self._source.process.pid, destination=self._destination.process.pid)
        problem = ""
        while not self._is_done():
            if time.monotonic() > start + SLOW:
                problem = f"not done after {SLOW} s"
                break
            time.sleep(0.1)
        wall = time.monotonic() - start
        cpu_source, cpu = cpu_of_tree(self._source.process.pid), cpu_of_tree(self._destination.process.pid) - cpu
        measurement = Measurement(
            self.name, wall, cpu_source, cpu, self._link.bytes() - wire, memory.stop(), self.durable, problem=problem
        )
        self._stop()
        return measurement

    def _stop(self) -> None:
        self._source.stop()
        self._destination.stop()

    def close(self) -> None:
        self._stop()
        super().close()
        for instance in (self._source, self._destination):
            shutil.rmtree(instance.home, ignore_errors=True)
