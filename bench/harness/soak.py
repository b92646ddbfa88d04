"""Steady traffic for an hour, over mail whose amount stays: does the memory of the daemons stay as well?"""

import collections
import dataclasses
import os
import statistics
import time

from maildir_traffic import Traffic
from maildir_trees import compare_trees
from maildirsync_testing import LAYOUT, deliver

from .corpora import Corpus
from .ours import Ours
from .programs import put_away, say

RATE = 200  # operations a second
INTERVAL = 60  # seconds between samples; a short soak has a dozen all the same
LEAST_SAMPLES = 12
PROBES = 10
PATIENCE = 60  # seconds until a probe is given up
MOST_DELETED = 30  # of an account within a minute: from 50 on it would be held as a mass deletion


class LevelTraffic(Traffic):
    """Deletes instead of adding wherever there are more messages than at its start."""

    def __init__(self, root, **options):
        super().__init__(root, LAYOUT, **options)
        self.journal = collections.deque(maxlen=100_000)
        self.deletions = collections.defaultdict(lambda: collections.deque(maxlen=MOST_DELETED))  # account's path → when
        self._count()
        self.level = self.messages

    def _count(self) -> None:
        """For others to read: only the traffic's thread may look into the folders."""
        self.folders = sum(len(account.folders) for account in self.accounts)
        self.messages = sum(len(folder.messages) for account in self.accounts for folder in account.folders.values())

    def pick(self) -> str:
        kind = super().pick()
        if kind not in ("deliver", "copy"):
            return kind
        self._count()
        return "delete" if self.messages > self.level else kind

    def delete(self, account) -> bool:
        """Elsewhere where little is left or much was deleted: what cannot be done becomes a delivery."""
        return self._delete(account) or any(self._delete(self.rng.choice(self.accounts)) for _ in range(20))

    def _delete(self, account) -> bool:
        lately = self.deletions[account.path]
        if len(lately) == MOST_DELETED and time.monotonic() - lately[0] < 60:
            return False
        if not super().delete(account):
            return False
        lately.append(time.monotonic())
        return True


@dataclasses.dataclass
class Sample:
    minute: float
    operations: int  # of the traffic so far
    folders: int  # at the source
    messages: int
    resident: dict[str, int]  # agent, receiver: bytes
    state: dict[str, int]
    lag: float  # milliseconds, median of the probes
    lag_max: float


@dataclasses.dataclass
class Soak:
    medium: str
    rate: float
    messages: int = 0
    samples: list[Sample] = dataclasses.field(default_factory=list)
    operations: dict[str, int] = dataclasses.field(default_factory=dict)  # kind → count
    problems: list[str] = dataclasses.field(default_factory=list)

    def slope(self, side: str) -> float:
        """KB an hour that the memory grows by in the second half."""
        half = self.samples[len(self.samples) // 2 :]
        hours, kilobytes = [sample.minute / 60 for sample in half], [sample.resident[side] / 1000 for sample in half]
        return statistics.linear_regression(hours, kilobytes).slope

    def ratio(self, side: str) -> float:
        """Mean memory of the last quarter, to that of the second."""
        quarter = len(self.samples) // 4
        mean = lambda samples: statistics.mean(sample.resident[side] for sample in samples)
        return mean(self.samples[-quarter:]) / mean(self.samples[quarter : 2 * quarter])


def probe(folder: bytes, at_destination: bytes, owner: tuple[int, int], number: int) -> float:
    """Milliseconds that a delivery beside the traffic takes to the destination."""
    name = b"%d.M%dP%d.probe" % (time.time(), time.time_ns() % 1_000_000_000 // 1000, number)
    start = time.monotonic()
    path = deliver(folder, name, owner=owner)
    try:
        while not os.path.exists(os.path.join(at_destination, b"new", name)):
            if time.monotonic() > start + PATIENCE:
                return PATIENCE * 1000.0
            time.sleep(0.0005)
        return (time.monotonic() - start) * 1000
    finally:
        os.unlink(path)


def take_sample(ours: Ours, traffic: LevelTraffic, start: float) -> Sample:
    minute, resident, state = (time.monotonic() - start) / 60, ours.resident(), ours.state_sizes()
    operations = sum(dict(traffic.counts).values())
    lags = []
    for number in range(PROBES):
        account = traffic.accounts[number * len(traffic.accounts) // PROBES]
        at_destination = os.path.join(os.fsencode(ours.destination), os.path.relpath(account.path, os.fsencode(ours.source)))
        lags.append(probe(account.path, at_destination, account.owner, number))
    return Sample(minute, operations, traffic.folders, traffic.messages, resident, state, statistics.median(lags), max(lags))


def soak(bench, medium: str, corpus: Corpus) -> None:
    """Adds what it sees to `bench.soaks` as it goes, so that an interrupted hour is not lost."""
    seconds = bench.scale.soak_minutes * 60
    interval = min(INTERVAL, seconds / LEAST_SAMPLES)
    ours = Ours(corpus.source, bench.place(medium, "ours"))
    result = Soak(medium, RATE)
    bench.soaks.append(result)
    try:
        ours.reset()
        ours.copy()
        corpus.is_to_change()
        traffic = LevelTraffic(corpus.source, rate=RATE)
        result.messages = traffic.level
        start = time.monotonic()
        with traffic:
            for number in range(round(seconds / interval) + 1):
                time.sleep(max(0.0, start + number * interval - time.monotonic()))
                if traffic.error:
                    break
                result.samples.append(take_sample(ours, traffic, start))
                result.operations = dict(traffic.counts)
                say(f"soak, {medium}: {result.samples[-1]}")
        flushed = ours.flush()
        if flushed.problem:
            result.problems.append(flushed.problem)
        result.problems += [f"{problem['code']}: {problem.get('detail', '')}" for problem in ours.problems()]
        differences = compare_trees(corpus.source, ours.destination)
        if differences:
            result.problems.append(f"the trees differ in {len(differences)} places, such as {differences[0]}")
    except Exception as error:
        result.problems.append(f"broke off: {type(error).__name__}: {error}")
        raise
    finally:
        ours.close()
        put_away(ours.destination)
