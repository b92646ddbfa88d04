"""The works that are compared. Each runs ours and the peers in turn, again and again on the same tree."""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import time
import traceback

from . import corpora, peers
from .corpora import Corpus
from .dsync import Dsync
from .measure import Measurement
from .network import Line, SshServer
from .ours import Ours
from .profile import sampled
from .programs import CACHE, make_anew, program, put_away, say
from .soak import Soak, soak
from .syncthing import Syncthing


@dataclasses.dataclass
class Scale:
    """How much is done."""

    mail: corpora.Spec = corpora.MAIL
    large_folder: corpora.Spec = corpora.LARGE_FOLDER
    repetitions: int = 3
    live_seconds: float = 10
    rates: tuple[int, ...] = (500, 1000, 3000)
    pending: int = 10_000
    rest: float = 10  # seconds before a first copy to the disk
    soak_minutes: float = 60
    attachments: tuple[corpora.Attachments, ...] = corpora.ATTACHMENTS
    lists: corpora.Lists = corpora.LISTS


QUICK = Scale(corpora.MAIL_QUICK, corpora.LARGE_FOLDER_QUICK, repetitions=2, live_seconds=3, pending=2_000, rest=5, attachments=corpora.ATTACHMENTS_QUICK, lists=corpora.LISTS_QUICK)
LIVE_RATE = 20
LSYNCD_RATES = (LIVE_RATE, 500)  # what it can follow at all
AS_FAST = "as fast as it goes"
AGAIN = (peers.Unison, Dsync)  # of the slow ones, those that end when there is nothing to do
WIRE = Line(round_trip=20, rate=50)
MEDIA = {"disk": CACHE, "tmpfs": "/dev/shm"}


@dataclasses.dataclass
class Record:
    work: str
    medium: str
    repetition: int
    measurement: Measurement


def drop_page_cache() -> None:
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="utf-8") as file:
        file.write("3")


class Bench:
    """Holds the corpora, the ssh server and the results; cleans up when it is left."""

    def __init__(self, scale: Scale, only: list[str], media: list[str], *, cold: bool = False, profiles: str = ""):
        self.scale, self._only, self.media, self._cold, self._profiles = scale, only, media, cold, profiles
        self.records: list[Record] = []
        self.soaks: list[Soak] = []
        self.shares: dict[tuple[str, str], dict] = {}  # work, medium → where the time of ours went
        self.corpora: dict[str, Corpus] = {}
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "Bench":
        os.makedirs(CACHE, exist_ok=True)
        self.directories = {medium: os.path.join(path, f"maildirsync-bench-run-{os.getpid()}") for medium, path in MEDIA.items()}
        for directory in self.directories.values():
            os.makedirs(directory, mode=0o711)
            self._cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        self.ssh = SshServer(os.path.join(self.directories["disk"], "ssh"))
        self._cleanup.callback(self.ssh.close)
        return self

    def __exit__(self, *_) -> None:
        self._cleanup.close()
        for corpus in self.corpora.values():
            if corpus.spec != corpora.MAIL:
                corpus.drop()

    def wants(self, *works: str) -> bool:
        return not self._only or any(work in self._only for work in works)

    def corpus(self, spec: corpora.Spec) -> Corpus:
        """As it was made, and in the page cache."""
        if spec.name in self.corpora:
            self.corpora[spec.name].restore()
        else:
            self.corpora[spec.name] = Corpus(spec)
        self.corpora[spec.name].warm()
        return self.corpora[spec.name]

    def place(self, medium: str, name: str) -> str:
        return os.path.join(self.directories[medium], name)

    def rest(self, medium: str) -> None:
        """Lets a throttled disk forget what the one before wrote: the first after a pause would be the fastest."""
        os.sync()
        if medium == "disk":
            time.sleep(self.scale.rest)

    def record(self, work: str, medium: str, repetition: int, run, tool: str = "") -> Measurement | None:
        """Measures; a tool that fails is a line in the table and does not end the bench."""
        if self._cold:
            drop_page_cache()
        try:
            with self._sampled(work, medium) if self._profiles and tool == Ours.name else contextlib.nullcontext():
                measurement = run()
        except Exception as error:
            measurement = Measurement(tool, problem=f"{type(error).__name__}: {str(error)[:3000]}")
        self.records.append(Record(work, medium, repetition, measurement))
        latency = measurement.latency
        figures = f"p50 {latency['p50']} ms, p99 {latency['p99']} ms, {latency['behind']} s behind" if "p50" in latency else f"{measurement.wall:.3f} s"
        say(f"{work}, {medium}: {measurement.tool}: {measurement.problem or figures}, {measurement.wire:,} bytes")
        return measurement

    def _sampled(self, work: str, medium: str):
        self.shares[work, medium] = {}
        return sampled(self._profiles, work, medium, self.shares[work, medium])

    def attempt(self, work, medium: str, *names: str) -> None:
        """Runs a work that is wanted; one that breaks off does not take the others along."""
        if not self.wants(*names):
            return
        try:
            work(self, medium)
        except Exception:
            say(f"{work.__name__}, {medium}: broke off\n{traceback.format_exc()}")

    def lack(self, work: str, medium: str, peer: type) -> bool:
        """Whether the peer is not there; then the table says so."""
        missing = peer.missing()
        if missing:
            self.records.append(Record(work, medium, 0, Measurement(peer.name, problem=f"{missing} is not installed")))
        return bool(missing)

    def peers(self, work: str, medium: str, kinds, source: str, line: Line = Line()) -> list:
        return [kind(self.ssh, source, self.place(medium, f"peer{i}"), line) for i, kind in enumerate(kinds) if not self.lack(work, medium, kind)]


def limit(source: str, destination: str, streams: int) -> Measurement:
    make_anew(destination)  # a run before may have failed
    os.sync()
    done = subprocess.run([program("bench-limit"), source, destination, "--streams", str(streams)], capture_output=True, text=True, check=True)
    put_away(destination)
    result = json.loads(done.stdout)
    name = f"limit, {streams} stream{'s' if streams > 1 else ''}"
    return Measurement(name, result["wall"], result["cpu"], 0, result["bytes"], durable=True)


def first_copy(
    bench: Bench, medium: str, line: Line = Line(), kinds=(peers.Rsync, peers.RsyncFsync, peers.Tar), slow=(peers.Unison, Syncthing, Dsync)
) -> None:
    corpus = bench.corpus(bench.scale.mail)
    work = f"first copy, {line}" if str(line) else "first copy"
    ours = Ours(corpus.source, bench.place(medium, "ours"), line)
    others = bench.peers(work, medium, kinds, corpus.source, line)
    try:
        for repetition in range(bench.scale.repetitions):
            for tool in (ours, *others):
                bench.record(work, medium, repetition, lambda tool=tool: (tool.reset(), bench.rest(medium), tool.copy())[2], tool.name)
            if not str(line):
                for streams in (1, 2):
                    bench.rest(medium)
                    bench.record(work, medium, repetition, lambda n=streams: limit(corpus.source, bench.place(medium, "limit"), n), "limit")
    finally:
        close(ours, *others)
    for kind in slow:
        slow_copy(bench, medium, work, kind, corpus.source)


def slow_copy(bench: Bench, medium: str, work: str, kind: type, source: str) -> None:
    """Once, and at once again with nothing to do. Such a peer takes minutes, and has daemons that run only here."""
    if bench.lack(work, medium, kind):
        return
    peer = None
    try:
        peer = kind(bench.ssh, source, bench.place(medium, "slow"))
        bench.rest(medium)
        done = bench.record(work, medium, 0, peer.copy, peer.name)
        if not done.problem and (lost := corpora.count_messages(source) - corpora.count_messages(peer.destination)):
            done.problem = f"{lost:,} messages are not there"
        if not done.problem and kind in AGAIN and bench.wants("no-change"):
            bench.record("no change, after a restart", medium, 0, peer.copy, peer.name)
    except Exception as error:
        say(f"{kind.name}: {error}")
    finally:
        if peer:
            close(peer)


def close(*tools) -> None:
    for tool in tools:
        try:
            tool.close()
        except AssertionError as error:
            say(f"{tool.name}: {error}")
        put_away(tool.destination)


def changes(bench: Bench, medium: str) -> None:
    """Works on a tree that is at the destination already."""
    corpus = bench.corpus(bench.scale.mail)
    ours = Ours(corpus.source, bench.place(medium, "ours"))
    others = bench.peers("changes", medium, (peers.Rsync, peers.RsyncFuzzy), corpus.source)
    rsync = next((peer for peer in others if peer.name == peers.Rsync.name), None)
    repetitions = range(bench.scale.repetitions)
    try:
        for tool in (ours, *others):
            tool.reset()
            tool.copy()
        if bench.wants("no-change"):
            for repetition in repetitions:
                ours.ensure_stopped()
                for tool in (ours, *([rsync] if rsync else [])):
                    bench.record("no change, after a restart", medium, repetition, tool.copy, tool.name)
            for repetition in repetitions:
                bench.record("no change, running", medium, repetition, ours.flush, ours.name)
                if rsync:
                    bench.record("no change, running", medium, repetition, rsync.copy, rsync.name)
        if bench.wants("verify") and rsync:
            verify(bench, medium, corpus, ours, rsync)
        for name, work, change in (
            ("flags", "flags of all messages", corpus.change_all_flags),
            ("churn", "5 % new, 5 % flags, 1 % deleted", corpus.change_some),
        ):
            for repetition in repetitions if bench.wants(name) else ():
                ours.ensure_stopped()
                change()
                for tool in (ours, *others):
                    bench.record(work, medium, repetition, tool.copy, tool.name)
        if bench.wants("live"):
            live(bench, medium, corpus, ours)
        if bench.wants("flush"):
            flush_pending(bench, medium, corpus, ours, rsync)
        if bench.wants("seeded") and rsync:
            seeded(bench, medium, corpus, rsync)
        if bench.wants("live"):
            saturated(bench, medium, corpus, ours)
    finally:
        close(ours, *others)


def verify(bench: Bench, medium: str, corpus: Corpus, ours: Ours, rsync) -> None:
    """Are both trees the same? By what is known of each message, and by its bytes."""
    ours.ensure_running()
    for work, kind, arguments in (("verify", peers.RsyncCompare, ()), ("verify --deep", peers.RsyncCompareBytes, ("--deep",))):
        peer = kind(bench.ssh, corpus.source, rsync.destination)
        try:
            for repetition in range(bench.scale.repetitions):
                bench.record(work, medium, repetition, lambda: ours.verify(*arguments), ours.name)
                bench.record(work, medium, repetition, peer.copy, peer.name)
        finally:
            peer.close()


def seeded(bench: Bench, medium: str, corpus: Corpus, rsync) -> None:
    """Daemons without a past meet what rsync put there."""
    rsync.copy()
    ours = Ours(corpus.source, rsync.destination)
    try:
        for repetition in range(bench.scale.repetitions):
            ours.forget()
            bench.record("seeded by rsync", medium, repetition, ours.copy, ours.name)
            bench.record("seeded by rsync", medium, repetition, rsync.copy, rsync.name)
    finally:
        ours.close()


@contextlib.contextmanager
def folders_file(bench: Bench, corpus: Corpus):
    path = bench.place("disk", "folders")
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(folder + "\n" for folder in corpus.inboxes()))
    yield path
    os.unlink(path)


def deliveries(corpus: Corpus, destination: str, folders: str, rate: float, count: float):
    """Delivers so many and waits for the last; an action for while_running."""
    command = corpus.deliver(destination, count=round(count), rate=rate, folders=folders)
    return lambda: json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def live(bench: Bench, medium: str, corpus: Corpus, ours: Ours, place: str = "", rates: tuple[int, ...] | None = None) -> None:
    rates = (LIVE_RATE, *bench.scale.rates) if rates is None else rates
    with folders_file(bench, corpus) as folders:
        for rate in rates:
            work = f"live, {rate}/s{place}"
            for repetition in range(bench.scale.repetitions):
                ours.ensure_running()
                os.sync()
                action = deliveries(corpus, ours.destination, folders, rate, rate * bench.scale.live_seconds)
                bench.record(work, medium, repetition, lambda: ours.while_running(action), ours.name)
        ours.ensure_stopped()
        if bench.lack(f"live, {LIVE_RATE}/s{place}", medium, peers.Lsyncd):
            return
        lsyncd_live(bench, medium, corpus, folders, place, rates)


def saturated(bench: Bench, medium: str, corpus: Corpus, ours: Ours) -> None:
    """Deliveries that wait for nothing; as many as the fastest rate makes. Last of all, for the tree is much larger afterwards."""
    with folders_file(bench, corpus) as folders:
        for repetition in range(bench.scale.repetitions):
            ours.ensure_running()
            os.sync()
            action = deliveries(corpus, ours.destination, folders, 0, max(bench.scale.rates) * bench.scale.live_seconds)
            bench.record(f"live, {AS_FAST}", medium, repetition, lambda: ours.while_running(action), ours.name)


def lsyncd_live(bench: Bench, medium: str, corpus: Corpus, folders: str, place: str, rates: tuple[int, ...]) -> None:
    destination = bench.place(medium, "lsyncd")
    rsync = peers.Rsync(bench.ssh, corpus.source, destination)
    rsync.copy()
    rsync.close()
    lsyncd = None
    try:
        lsyncd = LsyncdOverCopy(bench.ssh, corpus.source, destination)
        lsyncd.start()
        for rate in rates:
            if rate not in LSYNCD_RATES:
                continue
            action = deliveries(corpus, destination, folders, rate, rate * bench.scale.live_seconds)
            bench.record(f"live, {rate}/s{place}", medium, 0, lambda: lsyncd.while_running(action), lsyncd.name)
        lsyncd.stop()
    except Exception as error:
        say(f"lsyncd: {error}")
    finally:
        if lsyncd:
            close(lsyncd)


class LsyncdOverCopy(peers.Lsyncd):
    def reset(self) -> None:
        """The destination is a copy already."""


def flush_pending(bench: Bench, medium: str, corpus: Corpus, ours: Ours, rsync) -> None:
    pending = bench.scale.pending
    work = f"flush with {pending:,} just delivered"
    with folders_file(bench, corpus) as folders:
        for repetition in range(bench.scale.repetitions):
            ours.ensure_running()
            subprocess.run(corpus.deliver(None, count=pending, folders=folders), stdout=subprocess.DEVNULL, check=True)
            bench.record(work, medium, repetition, ours.flush, ours.name)
            if rsync:
                bench.record(work, medium, repetition, rsync.copy, rsync.name)


def large_folder(bench: Bench, medium: str) -> None:
    corpus = bench.corpus(bench.scale.large_folder)
    place = f", folder of {corpus.spec.messages:,}"
    ours = Ours(corpus.source, bench.place(medium, "ours"))
    others = bench.peers("one delivery" + place, medium, (peers.Rsync,), corpus.source)
    try:
        for tool in (ours, *others):
            tool.reset()
            tool.copy()
        with folders_file(bench, corpus) as folders:
            deliver = lambda: subprocess.run(corpus.deliver(None, count=1, folders=folders), stdout=subprocess.DEVNULL, check=True)
            for name, work, change in (
                ("large-folder", "one delivery" + place, deliver),
                ("uidlist", "a line more in its uidlist", corpus.append_to_uidlist),
            ):
                for repetition in range(bench.scale.repetitions) if bench.wants(name) else ():
                    ours.ensure_running()
                    time.sleep(0.5)
                    bench.record(work, medium, repetition, lambda change=change: ours.flush(change), ours.name)
                    for peer in others:
                        bench.record(work, medium, repetition, peer.copy, peer.name)
        if bench.wants("large-folder"):
            live(bench, medium, corpus, ours, place, (LIVE_RATE,))
    finally:
        close(ours, *others)


def million(bench: Bench, medium: str) -> None:
    """First copy, nothing changed, and the last flush, with a million messages."""
    scale = bench.scale
    bench.scale = dataclasses.replace(scale, mail=corpora.MILLION, repetitions=1)
    only, bench._only = bench._only, ["no-change", "flush"]
    try:
        first_copy(bench, medium, kinds=(peers.Rsync,), slow=())
        changes(bench, medium)
    finally:
        bench.scale, bench._only = scale, only


def wire_copy(bench: Bench, medium: str) -> None:
    first_copy(bench, medium, WIRE, kinds=(peers.Rsync, peers.Tar), slow=())


def attachments(bench: Bench, medium: str) -> None:
    """First copies of large messages: of interest is the memory."""
    for spec in bench.scale.attachments:
        source = bench.place("disk", "attachments")
        make_anew(source)
        spec.make(source)
        ours = Ours(source, bench.place(medium, "ours"))
        others = bench.peers(f"first copy, {spec}", medium, (peers.Rsync,), source)
        try:
            for repetition in range(bench.scale.repetitions):
                for tool in (ours, *others):
                    bench.record(f"first copy, {spec}", medium, repetition, lambda tool=tool: (tool.reset(), bench.rest(medium), tool.copy())[2], tool.name)
        finally:
            close(ours, *others)
            shutil.rmtree(source)


def lists(bench: Bench, medium: str) -> None:
    """A large uidlist, copied and then a line longer each time, and a listing of a large folder that both sides have: of interest is
    the memory."""
    spec, source = bench.scale.lists, bench.place("disk", "lists")
    make_anew(source)
    uidlist = spec.make_uidlist(source)
    size = f"a uidlist of {spec.uidlist // 1_000_000} MB"

    def grow() -> None:
        with open(uidlist, "ab") as file:
            file.write(b"%d :1700000000.M%dP1.mx,S=2000,W=2040\n" % (9_999_999, time.monotonic_ns()))

    ours = Ours(source, bench.place(medium, "ours"))
    others = bench.peers(f"first copy, {size}", medium, (peers.Rsync,), source)
    try:
        for repetition in range(bench.scale.repetitions):
            for tool in (ours, *others):
                bench.record(f"first copy, {size}", medium, repetition, lambda tool=tool: (tool.reset(), bench.rest(medium), tool.copy())[2], tool.name)
        for repetition in range(bench.scale.repetitions):
            ours.ensure_running()
            bench.record(f"a line more in {size}", medium, repetition, lambda: ours.flush(grow), ours.name)
            for peer in others:
                bench.record(f"a line more in {size}", medium, repetition, peer.copy, peer.name)
    finally:
        close(ours, *others)
    make_anew(source)
    spec.make_folder(source)
    work = f"both sides have a folder of {spec.folder:,}"
    others = bench.peers(work, medium, (peers.Rsync,), source)
    for rsync in others:
        try:
            rsync.reset()
            rsync.copy()
            ours = Ours(source, rsync.destination)
            for repetition in range(bench.scale.repetitions):
                ours.forget()
                bench.record(work, medium, repetition, ours.copy, ours.name)
                bench.record(work, medium, repetition, rsync.copy, rsync.name)
            ours.close()
        finally:
            close(rsync)
    shutil.rmtree(source)


def soak_once(bench: Bench, medium: str) -> None:
    soak(bench, medium, bench.corpus(corpora.SOAK))


WORKS = ("first-copy", "no-change", "verify", "flags", "churn", "live", "flush", "seeded", "large-folder", "uidlist", "attachments", "lists", "link", "million", "soak")


def run_all(bench: Bench, with_million: bool, with_soak: bool) -> None:
    for medium in bench.media:
        bench.attempt(first_copy, medium, "first-copy")
        bench.attempt(changes, medium, "no-change", "verify", "flags", "churn", "live", "flush", "seeded")
        bench.attempt(large_folder, medium, "large-folder", "uidlist")
        bench.attempt(attachments, medium, "attachments")
        bench.attempt(lists, medium, "lists")
    bench.attempt(wire_copy, bench.media[-1], "link")
    if with_million:
        million(bench, "disk")
    if with_soak:
        bench.attempt(soak_once, bench.media[0], "soak")
