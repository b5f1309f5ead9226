"""EBS volumes: sparse files behind loop devices, shown inside an instance the way NVMe volumes are.

The kernel of this machine would let two instances have one volume; here it is refused.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..seam import Volume
from .commands import CommandFailed, run

_GIB = 1 << 30
_LARGE_GIB = 1024
"""Volumes from this size on live in a file system of their own: ext4, which most machines have, holds no 16 TiB file."""
_BY_ID = "nvme-Amazon_Elastic_Block_Store_"


class VolumeError(Exception):
    """Something that EC2 would not do with a volume either."""


@dataclass
class _Attached:
    instance_id: str
    loop: Path
    root: Path
    """The instance's file system, seen from outside."""
    node: str
    """Name of the device in the instance, such as `nvme3n1`."""
    gone: threading.Event


class Volumes:
    """All volumes of the stand."""

    def __init__(
        self, directory: Path, delay: tuple[float, float], random: random.Random, fail: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._delay = delay
        self._random = random
        self._fail = fail
        self._attached: dict[str, _Attached] = {}
        self.patience = 10.0
        """Seconds until a volume that is still in use after its detach is a failure."""
        self._lock = threading.Lock()

    def attach(self, volume: Volume, instance_id: str, root: Path) -> None:
        """Gives the volume to one instance; the device appears there after a while, under a random kernel name."""
        with self._lock:
            if held := self._attached.get(volume.id):
                raise VolumeError(f"{volume.id} is attached to {held.instance_id}, so {instance_id} cannot have it")
            file = self._file(volume)
            loop = _loop(file)
            names = {held.node for held in self._attached.values() if held.instance_id == instance_id}
            node = self._random.choice([n for i in range(1, 27) if (n := f"nvme{i}n1") not in names])
            held = _Attached(instance_id, loop, root, node, threading.Event())
            self._attached[volume.id] = held
            delay = self._random.uniform(*self._delay)
        show = threading.Thread(target=self._show, args=(volume.id, file, held, delay), name=f"show {volume.id}")
        show.daemon = True
        show.start()

    def detach(self, volume_id: str, instance_id: str, seconds: float) -> bool:
        """Takes the device away; `False`: the volume is still in use there, and keeps its holder until it is free."""
        with self._lock:
            held = self._attached.get(volume_id)
            if held is None or held.instance_id != instance_id:
                return True
        held.gone.set()
        _hide(held)
        if not _free(held.loop, seconds):
            return False
        with self._lock:
            self._attached.pop(volume_id, None)
        return True

    def finish_detach(self, volume_id: str, instance_id: str) -> None:
        """Goes on with a detach that takes long."""
        if not self.detach(volume_id, instance_id, self.patience):
            self._fail(f"{volume_id} was detached from {instance_id} while in use there")

    def detach_all(self, instance_id: str) -> None:
        """The instance is gone, so nothing of it holds a volume."""
        with self._lock:
            mine = [volume for volume, held in self._attached.items() if held.instance_id == instance_id]
        for volume in mine:
            self.finish_detach(volume, instance_id)

    def holder(self, volume_id: str) -> str | None:
        """The instance that has the volume."""
        with self._lock:
            held = self._attached.get(volume_id)
            return held.instance_id if held else None

    def resize(self, volume_id: str, gib: int) -> None:
        """The volume grows while in use; the file system inside is the agent's business."""
        with self._lock:
            file = self._found(volume_id)
            if file is None:
                return
            if gib * _GIB < file.stat().st_size:
                raise VolumeError(f"{volume_id} cannot shrink to {gib} GiB")
            os.truncate(file, gib * _GIB)
            if held := self._attached.get(volume_id):
                run("losetup", "--set-capacity", str(held.loop))

    def delete(self, volume_id: str) -> None:
        """The data is gone for ever."""
        with self._lock:
            if held := self._attached.get(volume_id):
                raise VolumeError(f"{volume_id} is attached to {held.instance_id}")
            if file := self._found(volume_id):
                file.unlink()

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Keeps what is on the volume now; of one that was never attached an empty file, which restores as blank.

        What is written meanwhile may be in it or not, in parts: a volume in use should be quiet.
        """
        source = self._found(volume_id)
        if source is None:
            (self._directory / snapshot_id).touch()
            return
        making = source.parent / f".{snapshot_id}"
        run("cp", "--sparse=always", "--reflink=auto", str(source), str(making), seconds=600)
        making.rename(source.parent / snapshot_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Volumes that were made of it have copies of their own."""
        if file := self._found(snapshot_id):
            file.unlink()

    def _file(self, volume: Volume) -> Path:
        """The backing file, made at the first use."""
        if file := self._found(volume.id):
            return file
        directory = self._directory if volume.gib < _LARGE_GIB else self._large()
        file = directory / volume.id
        if volume.snapshot_id is not None:
            kept = self._found(volume.snapshot_id)
            if kept is None:
                raise VolumeError(f"the stand has no data of {volume.snapshot_id}, from which {volume.id} was made")
            run("cp", "--sparse=always", str(kept), str(file), seconds=600)
        try:
            with file.open("ab") as made:
                made.truncate(volume.gib * _GIB)
        except OSError as error:
            file.unlink(missing_ok=True)
            raise VolumeError(f"{directory} cannot hold a sparse file of {volume.gib} GiB: {error.strerror}") from error
        return file

    def _found(self, name: str) -> Path | None:
        """The file of a volume or snapshot."""
        places = (self._directory / name, self._directory / "large" / name)
        return next((place for place in places if place.exists()), None)

    def _large(self) -> Path:
        """An XFS in a sparse file, for files that are larger than this machine's own file system allows."""
        point = self._directory / "large"
        if not point.exists():
            image = self._directory / "large.xfs"
            with image.open("wb") as made:
                made.truncate(_LARGE_GIB * _GIB)
            run("mkfs.xfs", "-q", str(image))
            point.mkdir()
            run("mount", "-o", "loop", str(image), str(point))
        return point

    def _show(self, volume_id: str, file: Path, held: _Attached, delay: float) -> None:
        """The part of udev: the device and its links appear, and links by UUID and label after a format."""
        if held.gone.wait(delay):
            return
        try:
            device = held.root / "dev" / held.node
            os.mknod(device, 0o660 | stat.S_IFBLK, held.loop.stat().st_rdev)
            _link(held, "by-id", _BY_ID + volume_id.replace("-", ""))
            _link(held, "by-id", f"{_BY_ID}{volume_id.replace('-', '')}_1")
            known: list[tuple[str, str]] = []
            while not held.gone.wait(0.3):
                found = _names(file)
                for kind, name in known:
                    if (kind, name) not in found:
                        (held.root / "dev/disk" / kind / name).unlink(missing_ok=True)
                for kind, name in found:
                    if (kind, name) not in known:
                        _link(held, kind, name)
                known = found
        except OSError as error:
            if not held.gone.is_set() and held.root.exists():
                self._fail(f"{volume_id} did not appear in {held.instance_id}: {error}")


def _link(held: _Attached, kind: str, name: str) -> None:
    directory = held.root / "dev/disk" / kind
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / name
    link.unlink(missing_ok=True)
    link.symlink_to(f"../../{held.node}")


def _hide(held: _Attached) -> None:
    """Removes the device and every link to it; nothing is there when the instance is gone."""
    try:
        for link in (held.root / "dev/disk").glob("*/*"):
            if link.is_symlink() and os.readlink(link) == f"../../{held.node}":
                link.unlink(missing_ok=True)
        (held.root / "dev" / held.node).unlink(missing_ok=True)
    except OSError:
        pass


def _names(file: Path) -> list[tuple[str, str]]:
    """UUID and label of an XFS, read from its first sector (magic, then both at fixed places)."""
    with file.open("rb") as opened:
        start = opened.read(512)
    if start[:4] != b"XFSB":
        return []
    found = [("by-uuid", str(uuid.UUID(bytes=start[32:48])))]
    label = start[108:120].rstrip(b"\0").decode("ascii", "replace")
    if label and "/" not in label:
        found.append(("by-label", label))
    return found


def _loop(file: Path) -> Path:
    """A loop device for a file. Others may take the free one in between, so it is tried a few times."""
    for attempt in range(5):
        try:
            return Path(run("losetup", "--find", "--show", str(file)).strip())
        except CommandFailed:
            if attempt == 4:
                raise
            time.sleep(0.1)
    raise AssertionError("unreachable")


def _free(loop: Path, seconds: float) -> bool:
    """Gives a loop device back and makes sure: one that is mounted somewhere lives on in secret."""
    end = time.monotonic() + seconds
    if _busy(loop):
        run("losetup", "--detach", str(loop))
    while _busy(loop):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _busy(loop: Path) -> bool:
    return Path(f"/sys/block/{loop.name}/loop/backing_file").exists()


def loops_below(directory: Path) -> list[Path]:
    """Loop devices whose file is in a directory, whoever made them; the file itself may be gone."""
    found = []
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if entry.read_text().startswith(f"{directory}/"):
                found.append(Path("/dev") / entry.parent.parent.name)
        except OSError:
            continue
    return sorted(found)


def free_loops_below(directory: Path) -> None:
    """Frees what a stand that was killed has left."""
    for loop in loops_below(directory):
        _free(loop, 10)


def remove_files(directory: Path) -> None:
    """Removes a directory with everything in it."""
    shutil.rmtree(directory, ignore_errors=True)
