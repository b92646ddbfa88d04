"""A file system that is mounted and never answers, as one of the network does whose server is gone: a FUSE server that says hello to the
kernel and then nothing more. Whoever asks it for anything waits until end()."""

import ctypes
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_NOSUID, _MS_NODEV, _MNT_DETACH = 2, 4, 2
_INIT = 26
_IN_HEADER = struct.Struct("<IIQQIIII")  # fuse_in_header
_OUT_HEADER = struct.Struct("<IiQ")  # fuse_out_header
_INIT_OUT = struct.Struct("<IIIIHHII")  # the beginning of fuse_init_out, which has 64 bytes
_PROTOCOL = (7, 31)


class HungMount:
    """Mounted at (or over) a directory until end(), which lets all who wait for it fail."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _LIBC.mount(b"hung", os.fsencode(path), b"fuse", _MS_NOSUID | _MS_NODEV, options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self._fuse)
            raise OSError(error, os.strerror(error), path)
        request = os.read(self._fuse, 1 << 17)
        _, opcode, unique, *_ = _IN_HEADER.unpack_from(request)
        assert opcode == _INIT, opcode
        answer = _INIT_OUT.pack(*_PROTOCOL, 1 << 17, 0, 16, 12, 1 << 16, 1).ljust(64, b"\0")
        os.write(self._fuse, _OUT_HEADER.pack(_OUT_HEADER.size + len(answer), 0, unique) + answer)

    def end(self) -> None:
        """May be called again."""
        if self._fuse < 0:
            return
        os.close(self._fuse)  # aborts the connection: who waits gets an error
        self._fuse = -1
        _LIBC.umount2(os.fsencode(self.path), _MNT_DETACH)
