"""What the machine boots: Debian's cloud kernel, and an initramfs of a Python, the programs under test and what they load.
Made once for each kernel and kept in a cache; the programs are added anew each time."""

import glob
import os
import re
import shutil
import subprocess
import sys

PACKAGES = ("qemu-system-x86", "xfsprogs", "btrfs-progs", "e2fsprogs", "cpio")
PROGRAMS = ("maildirsync-agent", "maildirsyncd", "maildirsync")
MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "crc32c-intel", "xxhash_generic", "blake2b_generic", "xfs", "btrfs")
LEFT_OUT = ("test", "idlelib", "lib2to3", "ensurepip", "distutils", "tkinter", "pydoc_data", "turtledemo", "site-packages", "dist-packages")
HERE = os.path.dirname(os.path.abspath(__file__))


class Missing(Exception):
    """A sentence on why no machine can be had here."""


def install():
    """The packages that this needs, where they are missing; only root can."""
    tools = ("qemu-system-x86_64", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "cpio")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    if all(shutil.which(tool) for tool in tools):
        return
    if os.geteuid() != 0:
        raise Missing("these packages are missing, and only root can install them: " + " ".join(PACKAGES))
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in ([*apt, "update"], [*apt, "install", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Missing(f"{' '.join(command)} failed: {done.stderr.strip()}")


class Image:
    """`kernel` and `initrd` for QEMU. `cache` is a directory that may stay."""

    def __init__(self, cache, programs):
        self.cache = cache
        os.makedirs(cache, exist_ok=True)
        self.tree = self._kernel_tree()
        (self.kernel,) = glob.glob(self.tree + "/boot/vmlinuz-*")
        self.release = os.path.basename(self.kernel).removeprefix("vmlinuz-")
        base = self._base()
        self.initrd = os.path.join(cache, f"initrd-{os.getpid()}")
        added = self._pack("programs", self._add_programs, programs)
        with open(self.initrd, "wb") as out:
            for part in (base, added):
                with open(part, "rb") as piece:
                    shutil.copyfileobj(piece, out)
        os.unlink(added)

    def close(self):
        os.unlink(self.initrd)

    def _kernel_tree(self):
        known = sorted(glob.glob(self.cache + "/kernel-*"))
        if known:
            return known[-1]
        shown = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=False)
        found = re.search(r"Depends: (linux-image-\S+)", shown.stdout)
        if not found:
            raise Missing("apt knows no linux-image-cloud-amd64; run apt-get update")
        work = os.path.join(self.cache, "download")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        got = subprocess.run(["apt-get", "-q", "download", found[1]], cwd=work, capture_output=True, text=True, check=False)
        if got.returncode != 0:
            raise Missing(f"apt-get download {found[1]} failed: {got.stderr.strip()}")
        (package,) = glob.glob(work + "/*.deb")
        subprocess.run(["dpkg-deb", "-x", package, work + "/tree"], check=True)
        tree = os.path.join(self.cache, "kernel-" + found[1].removeprefix("linux-image-"))
        os.rename(work + "/tree", tree)
        shutil.rmtree(work)
        return tree

    def _pack(self, name, fill, *arguments):
        """An archive that the kernel unpacks; a further one adds to it."""
        work = os.path.join(self.cache, f"{name}-{os.getpid()}")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        fill(work, *arguments)
        packed = work + ".cpio"
        with open(packed, "wb") as out:
            names = subprocess.run(["find", ".", "-mindepth", "1", "-print0"], cwd=work, stdout=subprocess.PIPE, check=True).stdout
            subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet"], cwd=work, input=names, stdout=out, check=True)
        with open(packed, "ab") as out:
            out.write(bytes(-out.tell() % 512))
        shutil.rmtree(work)
        return packed

    def _base(self):
        kept = os.path.join(self.cache, f"base-{self.release}-{sys.version_info.major}.{sys.version_info.minor}.cpio")
        if not os.path.exists(kept):
            os.rename(self._pack("base", self._fill_base), kept)
        return kept

    def _fill_base(self, root):
        for name in ("dev", "proc", "sys", "run", "tmp", "source", "destination", "etc"):
            os.makedirs(f"{root}/{name}")
        python = os.path.realpath(sys.executable)
        self._add_binary(root, python, "usr/bin/python3")
        library = os.path.dirname(os.__file__)
        shutil.copytree(library, root + library, symlinks=True, ignore=lambda where, names: [
            name for name in names if name in LEFT_OUT or name.startswith("config-")])
        for extension in glob.glob(library + "/lib-dynload/*.so"):
            self._add_libraries(root, extension)
        for name in ("ld.so.cache", "nsswitch.conf", "protocols", "services"):
            if os.path.exists("/etc/" + name):
                shutil.copy("/etc/" + name, f"{root}/etc/{name}")
        with open(root + "/etc/passwd", "w", encoding="ascii") as out:
            out.write("root:x:0:0:root:/root:/bin/false\n")
        with open(root + "/etc/group", "w", encoding="ascii") as out:
            out.write("root:x:0:\n")
        with open(root + "/etc/hosts", "w", encoding="ascii") as out:
            out.write("127.0.0.1 localhost\n")
        with open(root + "/modules", "w", encoding="ascii") as out:
            for path in self._modules():
                shutil.copy(path, root + "/" + os.path.basename(path))
                out.write(os.path.basename(path) + "\n")

    def _modules(self):
        """Paths of the modules, each after those that it needs. One that is not there is a part of the kernel."""
        paths = {os.path.basename(path).removesuffix(".ko").replace("-", "_"): path
                 for path in glob.glob(f"{self.tree}/lib/modules/*/kernel/**/*.ko", recursive=True)}
        ordered = []

        def add(name):
            path = paths.get(name.replace("-", "_"))
            if path is None or path in ordered:
                return
            with open(path, "rb") as module:
                depends = re.search(rb"\0depends=([^\0]*)\0", module.read())
            for other in filter(None, depends[1].decode().split(",")):
                add(other)
            ordered.append(path)

        for name in MODULES:
            add(name)
        return ordered

    def _add_programs(self, root, programs):
        for name in PROGRAMS:
            self._add_binary(root, os.path.join(programs, name), "usr/bin/" + name)
            subprocess.run(["strip", f"{root}/usr/bin/{name}"], check=True)
        for name in ("inside.py", "traffic.py"):
            shutil.copy(os.path.join(HERE, name), f"{root}/{name}")
        with open(root + "/init", "w", encoding="ascii") as out:
            out.write("#!/usr/bin/python3\nimport sys\nsys.path.insert(0, '/')\nimport inside\ninside.main()\n")
        os.chmod(root + "/init", 0o755)
        os.makedirs(root + "/etc/maildirsync")
        for side in ("agent", "receiver"):
            subprocess.run([os.path.join(programs, "maildirsync"), "keygen", "--out", f"{root}/etc/maildirsync/{side}"],
                           check=True, capture_output=True)

    def _add_binary(self, root, path, at):
        os.makedirs(os.path.dirname(f"{root}/{at}"), exist_ok=True)
        shutil.copy(path, f"{root}/{at}")
        self._add_libraries(root, path)

    @staticmethod
    def _add_libraries(root, path):
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            if not os.path.exists(root + library):
                os.makedirs(root + os.path.dirname(library), exist_ok=True)
                shutil.copy(os.path.realpath(library), root + library)
