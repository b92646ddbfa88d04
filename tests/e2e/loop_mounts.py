"""Real file systems in files, mounted for a lab: ext4, XFS, Btrfs and what else mkfs makes."""

import os
import shutil
import subprocess
import unittest

#: The smallest that mkfs agrees to, sparse.
SIZES = {"xfs": 320 << 20, "btrfs": 160 << 20}
MKFS_OPTIONS = {"ext4": ["-q", "-F"], "ext3": ["-q", "-F"], "xfs": ["-q"], "btrfs": ["-q"]}


def make_image(image: str, kind: str, *options: str) -> None:
    """Makes a file system of that kind in a file, with these options of mkfs; skips the test where that is not possible."""
    mkfs = shutil.which(f"mkfs.{kind}")
    if os.geteuid() != 0 or mkfs is None:
        raise unittest.SkipTest(f"mounting {kind} needs root and mkfs.{kind}")
    with open(image, "wb") as file:
        file.truncate(SIZES.get(kind, 64 << 20))
    subprocess.run([mkfs, *MKFS_OPTIONS.get(kind, []), *options, image], check=True, capture_output=True)


def mount(lab, path: str, kind: str, *options: str) -> None:
    """Makes a file system of that kind, with these options of mkfs, and mounts it on a directory of the lab until the lab
    ends; skips the test where that is not possible."""
    image = os.path.join(lab.base, f"{os.path.basename(path)}.{kind}")
    make_image(image, kind, *options)
    status = os.stat(path)
    mounted = subprocess.run(["mount", "-o", "loop", image, path], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise unittest.SkipTest(f"{kind} cannot be mounted here: {mounted.stderr.strip()}")
    lab.unmounts.append(lambda: subprocess.run(["umount", "--lazy", path], check=True, capture_output=True))
    os.chmod(path, status.st_mode & 0o7777)
    os.chown(path, status.st_uid, status.st_gid)
    if os.path.isdir(os.path.join(path, "lost+found")):
        os.rmdir(os.path.join(path, "lost+found"))
