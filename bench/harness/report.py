"""The table and the JSON."""

import dataclasses
import json
import os
import platform
import statistics

from . import profile
from .soak import Soak
from .works import AS_FAST, WIRE, Bench, Record

CORES = os.cpu_count()
OURS, LIMIT = "maildirsync", "limit"


def machine() -> dict:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": model, "cores": CORES, "memory": memory, "kernel": platform.release()}


class Row:
    """All repetitions of one work with one tool."""

    def __init__(self, records: list[Record]):
        self.measurements = [record.measurement for record in records if not record.measurement.problem]
        self.tool = records[0].measurement.tool
        self.problem = next((record.measurement.problem for record in records if record.measurement.problem), "")

    def median(self, field) -> float:
        return statistics.median(field(measurement) for measurement in self.measurements)

    @property
    def wall(self) -> float:
        return self.median(lambda m: m.wall)

    @property
    def wire(self) -> float:
        return self.median(lambda m: m.wire)

    @property
    def is_live(self) -> bool:
        return bool(self.measurements) and bool(self.measurements[0].latency)

    def latency(self, key: str) -> float:
        return self.median(lambda m: m.latency[key])

    def score(self) -> float:
        """What is compared: seconds, or the median latency."""
        return self.latency("p50") if self.is_live else self.wall

    def bound(self, work: str) -> str:
        """What this work waited for."""
        if str(WIRE) in work and self.wire * 8 / (WIRE.rate * 1e6) > 0.85 * self.wall:
            return "wire"
        source, destination = self.median(lambda m: m.cpu_source), self.median(lambda m: m.cpu_destination)
        if source + destination > 0.85 * CORES * self.wall:
            return "all cores"
        if max(source, destination) > 0.85 * self.wall:
            return "one side"
        return "waiting"


def rows_of(bench: Bench) -> dict[tuple[str, str], list[Row]]:
    grouped: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for record in bench.records:
        grouped.setdefault((record.work, record.medium), {}).setdefault(record.measurement.tool, []).append(record)
    return {key: sorted((Row(records) for records in tools.values()), key=lambda row: row.tool != OURS) for key, tools in grouped.items()}


def seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def size(value: float) -> str:
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def memory(row: Row) -> str:
    peaks: dict[str, int] = {}
    for measurement in row.measurements:
        for process, peak in measurement.memory.items():
            side = process.split()[0]
            peaks[side] = max(peaks.get(side, 0), peak)
    return " / ".join(f"{peaks[side] / 1e6:.0f}" for side in ("source", "destination") if side in peaks)


def compared(ours: Row | None, row: Row) -> str:
    """Ours to another's, time and bytes."""
    if ours is None or row is ours:
        return " | "
    of_bytes = f"{ours.wire / row.wire:.3f}" if row.wire and not row.tool.startswith(LIMIT) else ""
    return f"{ours.score() / row.score():.2f} | {of_bytes}"


def best(ours: Row | None, rows: list[Row], live: bool) -> list[str]:
    """One line: ours to the best of the peers."""
    peers = [row for row in rows if row is not ours and row.measurements and not row.tool.startswith(LIMIT)]
    if ours is None or not peers:
        return []
    fastest, smallest = min(peers, key=Row.score), min(peers, key=lambda row: row.wire)
    return [
        "",
        f"Ours to the best: {ours.score() / fastest.score():.2f} of the {'median latency' if live else 'time'} of {fastest.tool}, "
        f"{ours.wire / smallest.wire:.3f} of the bytes of {smallest.tool}.",
    ]


def table(bench: Bench) -> str:
    """In Markdown."""
    lines = []
    for (work, medium), rows in rows_of(bench).items():
        live = any(row.is_live for row in rows)
        figures = "p50 ms | p99 ms | max ms | behind s" if live else "wall s | least–most"
        lines += ["", f"**{work}**, destination on {medium}", ""]
        lines.append(f"| | {figures} | CPU s, source + destination | wire | peak MB | durable | bound by | ours to its time | and bytes |")
        ours = next((row for row in rows if row.tool == OURS and row.measurements), None)
        lines.append("| --- " * (lines[-1].count("|") - 1) + "|")
        for row in rows:
            if not row.measurements:
                lines.append(f"| {row.tool} | {row.problem.splitlines()[0][:100]} |")
                continue
            if live:
                first = " | ".join([f"{row.latency(key):.1f}" for key in ("p50", "p99", "max")] + [f"{row.latency('behind'):.2f}"])
                arrived = sum(m.latency["arrived"] for m in row.measurements), sum(m.latency["sent"] for m in row.measurements)
                name = row.tool + (f" ({arrived[0]} of {arrived[1]})" if arrived[0] < arrived[1] else "")
                if AS_FAST in work:
                    name += f" (delivered at {row.median(lambda m: m.latency['sent'] / m.latency['seconds']):,.0f}/s)"
            else:
                walls = [m.wall for m in row.measurements]
                first, name = f"{seconds(row.wall)} | {seconds(min(walls))}–{seconds(max(walls))}", row.tool
            cpu = f"{row.median(lambda m: m.cpu_source):.2f} + {row.median(lambda m: m.cpu_destination):.2f}"
            durable = "yes" if row.measurements[0].durable else "no"
            lines.append(f"| {name} | {first} | {cpu} | {size(row.wire)} | {memory(row)} | {durable} | {row.bound(work)} | {compared(ours, row)} |")
        lines += best(ours, rows, live)
    for soak in bench.soaks:
        lines += soak_table(soak)
    if bench.shares:
        lines += profile.table(bench.shares)
    return "\n".join(lines).strip() + "\n"


def soak_table(soak: Soak) -> list[str]:
    """The samples, and whether the memory is flat. That is a person's to judge: nothing fails for a figure."""
    lines = ["", f"**soak, {soak.rate}/s over {soak.messages:,} messages**, destination on {soak.medium}", ""]
    lines.append("| minute | operations | folders | messages | agent MB | receiver MB | agent's state MB | receiver's state MB | lag p50 ms | lag max ms |")
    lines.append("| --- " * (lines[-1].count("|") - 1) + "|")
    for sample in soak.samples:
        megabytes = [f"{kind[side] / 1e6:.2f}" for kind in (sample.resident, sample.state) for side in ("agent", "receiver")]
        counts = [f"{count:,}" for count in (sample.operations, sample.folders, sample.messages)]
        lines.append("| " + " | ".join([f"{sample.minute:.1f}", *counts, *megabytes, f"{sample.lag:.1f}", f"{sample.lag_max:.1f}"]) + " |")
    if soak.samples:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in soak.operations.items())
        lines += ["", f"{sum(soak.operations.values()):,} operations in {soak.samples[-1].minute:.1f} minutes: {kinds}."]
    if len(soak.samples) >= 8:
        for side in ("agent", "receiver"):
            trend = f"{soak.slope(side):+.0f} KB an hour in the second half"
            lines.append(f"- {side}: {trend}; the last quarter's mean is {soak.ratio(side):.3f} of the second quarter's")
    lines += [f"- {problem}" for problem in soak.problems]
    return lines


def to_json(bench: Bench) -> str:
    corpora = {}
    for name, corpus in bench.corpora.items():
        corpora[name] = dataclasses.asdict(corpus.spec)
    records = [
        {"work": record.work, "medium": record.medium, "repetition": record.repetition, **dataclasses.asdict(record.measurement)}
        for record in bench.records
    ]
    return json.dumps({"machine": machine(), "corpora": corpora, "records": records, "soaks": [dataclasses.asdict(soak) for soak in bench.soaks]}, indent=1) + "\n"
