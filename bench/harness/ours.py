"""maildirsync's own daemons, started as the end-to-end tests start them."""

import json
import os
import socket
import time

from maildirsync_testing import Lab, Root

from .measure import Measurement, cpu_of, forget_peak_memory, peak_memory, resident_memory
from .network import Line, Link
from .programs import make_anew

PATIENCE = 1800  # seconds until a flush is given up


def _listens(path: str) -> bool:
    """Whether a control socket takes connections: it is there a moment before."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


class Ours:
    name = "maildirsync"
    durable = True

    def __init__(self, source: str, destination: str, line: Line = Line()):
        self.source, self.destination, self._line = source, destination, line
        self._lab: Lab | None = None
        self._link: Link | None = None

    def reset(self) -> None:
        """An empty destination, and daemons without a past."""
        make_anew(self.destination)
        self.forget()

    def forget(self) -> None:
        """Daemons without a past, and the destination as it is. The receiver runs, the agent does not."""
        self.close()
        self._lab = Lab()
        self._lab.agent.roots.append(Root("vhosts", self.source, self.destination))
        self._lab.receiver.start()
        self._link = Link(self._lab.receiver.port, self._line)
        self._lab.agent.port = self._link.port

    def _start_agent(self) -> None:
        agent = self._lab.agent
        agent.start(ready=False)
        while not _listens(agent.control):
            if agent.process.poll() is not None:
                raise RuntimeError(f"the agent ended\n{agent.tail()}")
            time.sleep(0.002)

    def ensure_running(self) -> None:
        if self._lab.agent.process is None:
            self._start_agent()
            self._flush()

    def ensure_stopped(self) -> None:
        self._lab.agent.stop()

    def _flush(self) -> dict:
        return self._lab.agent.flush(limit=PATIENCE, complete=False)

    def copy(self) -> Measurement:
        """Starts the agent, and ends when all that the source holds is durable."""
        return self._measure(self._start_and_flush)

    def _start_and_flush(self) -> dict:
        self._start_agent()
        return self._flush()

    def flush(self, before=None) -> Measurement:
        """A flush of running daemons; `before()` changes the source, and counts."""
        return self._measure(lambda: (before() if before else None, self._flush())[1])

    def verify(self, *arguments: str) -> Measurement:
        """Both trees are compared, and nothing is sent."""
        return self._measure(lambda: self._verify(*arguments))

    def _verify(self, *arguments: str) -> dict:
        answer = json.loads(self._lab.agent.cli("--json", "verify", *arguments, limit=PATIENCE).stdout)
        return {"complete": answer.get("equal"), "answer": answer}

    def while_running(self, action) -> Measurement:
        """What it costs while `action()` delivers and waits."""
        latency = {}
        measurement = self._measure(lambda: latency.update(action()))
        measurement.latency = latency
        return measurement

    def _measure(self, action) -> Measurement:
        receiver, agent = self._lab.receiver, self._lab.agent
        forget_peak_memory(receiver.process.pid)
        cpu_receiver, wire = cpu_of(receiver.process.pid), self._link.bytes()
        cpu_agent = 0.0
        if agent.process is not None:
            forget_peak_memory(agent.process.pid)
            cpu_agent = cpu_of(agent.process.pid)
        os.sync()
        start = time.monotonic()
        result = action()
        wall = time.monotonic() - start
        measurement = Measurement(
            self.name,
            wall,
            cpu_of(agent.process.pid) - cpu_agent,
            cpu_of(receiver.process.pid) - cpu_receiver,
            self._link.bytes() - wire,
            {f"{side} {peak[0]}": peak[1] for side, peak in (("source", peak_memory(agent.process.pid)), ("destination", peak_memory(receiver.process.pid))) if peak},
            durable=True,
        )
        if result and not result.get("complete"):
            measurement.problem = f"not complete: {str(result)[:300]}"
        return measurement

    def resident(self) -> dict[str, int]:
        """Bytes of memory that the daemons hold now."""
        return {side: resident_memory(daemon.process.pid) for side, daemon in self._daemons()}

    def state_sizes(self) -> dict[str, int]:
        """Bytes of the daemons' state on the disk."""
        return {side: sum(entry.stat().st_size for entry in os.scandir(daemon.state_dir)) for side, daemon in self._daemons()}

    def problems(self) -> list[dict]:
        return [problem for _, daemon in self._daemons() for problem in daemon.problems()]

    def _daemons(self):
        return ("agent", self._lab.agent), ("receiver", self._lab.receiver)

    def close(self) -> None:
        if self._link:
            self._link.close()
            self._link = None
        if self._lab:
            self._lab.close(keep=os.environ.get("MAILDIRSYNC_E2E_KEEP") == "1")
            self._lab = None
