"""Messages of the wire as dictionaries, by the grammar in common/wire/protocol.proto: nothing is checked, so that a test can
say what no agent would.

    encode("Header", {"hello": {"version": 1, "roots": ["vhosts"]}}) -> bytes
    decode("Header", bytes) -> {"hello": {...}}

Fields that are not in the grammar are given by their number: {99: b"bytes", 100: 7}. Absent fields are absent in what is
decoded; repeated ones are lists.
"""

import os
import re
import struct

GRAMMAR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../common/wire/protocol.proto")
_INTEGERS = {"uint32", "uint64", "bool", "int32", "int64"}
_FIELD = re.compile(r"^(repeated\s+|optional\s+)?(\w+)\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?;")


class _Field:
    def __init__(self, name: str, kind: str, number: int, repeated: bool):
        self.name, self.kind, self.number, self.repeated = name, kind, number, repeated


class _Message:
    def __init__(self, path: str):
        self.path, self.by_name, self.by_number = path, {}, {}


def _read_grammar() -> dict[str, _Message]:
    messages, stack = {}, []
    with open(GRAMMAR, encoding="utf-8") as file:
        lines = [line.partition("//")[0].strip() for line in file]
    for line in lines:
        if opened := re.match(r"^(message|oneof)\s+(\w+)\s*\{(.*)$", line):
            path = stack[-1].path if stack else ""
            if opened[1] == "message":
                path = f"{path}.{opened[2]}" if path else opened[2]
                messages[path] = _Message(path)
            stack.append(messages[path])  # a oneof's fields are its message's
            line = opened[3].strip()
        while found := _FIELD.match(line):
            field = _Field(found[3], found[2], int(found[4]), bool(found[1] and "repeated" in found[1]))
            stack[-1].by_name[field.name] = stack[-1].by_number[field.number] = field
            line = line[found.end() :].strip()
        if line.startswith("}"):
            stack.pop()
    return messages


MESSAGES = _read_grammar()


def _message_of(kind: str, inside: str) -> str:
    """Which message a field's type names, seen from inside another one."""
    while True:
        path = f"{inside}.{kind}" if inside else kind
        if path in MESSAGES or not inside:
            return path
        inside = inside.rpartition(".")[0]


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | bytes | str) -> bytes:
    """One protobuf field: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = os.fsencode(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(name: str, values: dict) -> bytes:
    message, out = MESSAGES[name], b""
    for key, value in values.items():
        if isinstance(key, int):
            out += field(key, value)
            continue
        known = message.by_name[key]
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, dict):
                one = encode(_message_of(known.kind, name), one)
            elif known.kind.startswith("sint"):
                one = (one << 1) ^ (one >> 63)
            elif known.kind == "fixed64":
                out += varint(known.number << 3 | 1) + struct.pack("<Q", one)
                continue
            out += field(known.number, one)
    return out


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _raw_fields(data: bytes):
    """Number, wire type and undecoded value of each field."""
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        number, form = tag >> 3, tag & 7
        if form == 0:
            value, position = _read_varint(data, position)
        elif form == 2:
            size, position = _read_varint(data, position)
            value, position = data[position : position + size], position + size
        elif form == 1:
            value, position = struct.unpack_from("<Q", data, position)[0], position + 8
        else:
            raise ValueError(f"wire type {form}")
        yield number, form, value


def fields(message: bytes) -> dict[int, list]:
    """The fields of a message, undecoded: numbers and bytes."""
    found: dict[int, list] = {}
    for number, _, value in _raw_fields(message):
        found.setdefault(number, []).append(value)
    return found


def decode(name: str, data: bytes) -> dict:
    message, values = MESSAGES[name], {}
    for number, form, value in _raw_fields(data):
        known = message.by_number.get(number)
        if known is None:
            values.setdefault(number, []).append(value)
            continue
        for one in _decoded(known, value, form, name):
            if known.repeated:
                values.setdefault(known.name, []).append(one)
            else:
                values[known.name] = one
    return values


def _decoded(known: _Field, value, form: int, inside: str):
    if form == 2 and known.kind in _INTEGERS:  # packed
        position = 0
        while position < len(value):
            one, position = _read_varint(value, position)
            yield one
    elif form == 2 and known.kind == "fixed64":  # packed
        yield from (one for (one,) in struct.iter_unpack("<Q", value))
    elif form == 2 and known.kind == "string":
        yield value.decode(errors="backslashreplace")
    elif form == 2 and known.kind != "bytes":
        yield decode(_message_of(known.kind, inside), value)
    elif known.kind.startswith("sint"):
        yield (value >> 1) ^ -(value & 1)
    else:
        yield value
