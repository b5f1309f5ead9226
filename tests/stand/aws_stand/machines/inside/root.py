"""The file systems of an instance, put together in its own mount namespace.

The root disk is a file system of its own with its own size, so a full root disk is full; the programs are this
machine's, under an overlay, so that an instance may install what it likes.
Everything is gone when the instance's last process is.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

_ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "group",
    "java-17-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "login.defs",
    "mime.types",
    "mke2fs.conf",
    "nsswitch.conf",
    "passwd",
    "pki",
    "protocols",
    "services",
    "shells",
    "ssl",
)
"""What an instance has of this machine's /etc: what programs need, nothing that is ours."""
_DIRECTORIES = (
    *("dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "sys", "tmp", "usr"),
    *("var/lib", "var/log", "var/tmp"),
)
_NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
_COMMANDS = ("bin/systemctl", "sbin/poweroff", "sbin/shutdown", "sbin/halt")


def mount(kind: str, source: str, target: Path, options: str = "") -> None:
    """One mount."""
    words = ["mount", "-t", kind, *(["-o", options] if options else []), source, str(target)]
    if kind == "bind":
        words = ["mount", "--bind", source, str(target)]
    subprocess.run(words, check=True)
    if kind == "bind" and options:
        subprocess.run(["mount", "-o", f"remount,bind,{options}", str(target)], check=True)


def build(specification: dict[str, Any]) -> None:
    """Makes the root and moves into it; nothing of this machine's files stays in sight but what is meant to."""
    root = Path(specification["root"])
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    mount("ext4", specification["root_disk"], root, "loop,noatime")
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    _usr(root)
    for name in ("run", "tmp"):
        mount("tmpfs", "tmpfs", root / name, "mode=0755,nosuid" if name == "run" else "mode=1777,nosuid")
    (root / "var/tmp").chmod(0o1777)
    _dev(root / "dev")
    mount("proc", "proc", root / "proc", "nosuid,nodev,noexec")
    mount("sysfs", "sysfs", root / "sys", "ro,nosuid,nodev,noexec")
    _etc(root / "etc", specification)
    for inside, outside in specification["binds"].items():
        _bind(root, inside, Path(outside))
    _move(root)


def _usr(root: Path) -> None:
    upper, work = root / ".usr/upper", root / ".usr/work"
    upper.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    mount("overlay", "usr", root / "usr", f"lowerdir=/usr,upperdir={upper},workdir={work}")
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        here, there = Path("/", name), root / name
        if here.is_symlink():
            there.symlink_to(os.readlink(here))
        elif here.is_dir():  # a machine whose /bin is not part of /usr
            there.mkdir()
            mount("bind", str(here), there, "ro")


def _dev(dev: Path) -> None:
    mount("tmpfs", "devtmpfs", dev, "mode=0755,nosuid")
    for name, (major, minor) in _NODES.items():
        os.mknod(dev / name, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    for name in ("pts", "shm", "disk/by-id", "disk/by-uuid"):
        (dev / name).mkdir(parents=True)
    mount("devpts", "devpts", dev / "pts", "newinstance,ptmxmode=0666,mode=0620")
    (dev / "ptmx").symlink_to("pts/ptmx")
    mount("tmpfs", "tmpfs", dev / "shm", "mode=1777,nosuid,nodev")


def _etc(etc: Path, specification: dict[str, Any]) -> None:
    for name in _ETC:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, etc / name, follow_symlinks=name != "localtime")
    (etc / "hostname").write_text(specification["host_name"] + "\n")
    (etc / "machine-id").write_text(specification["machine_id"] + "\n")
    (etc / "environment").write_text("".join(f"{k}={v}\n" for k, v in specification["environment"].items()))
    (etc / "os-release").write_text('NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\nVERSION_ID="2023"\n')
    (etc / "systemd/system").mkdir(parents=True)
    (etc / "fstab").write_text("")
    (etc / "resolv.conf").write_text("")
    (etc / "mtab").symlink_to("/proc/self/mounts")


def _bind(root: Path, inside: str, outside: Path) -> None:
    target = root / inside.lstrip("/")
    if outside.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount("bind", str(outside), target, "ro")


def _move(root: Path) -> None:
    """Makes the new root the root of the whole mount namespace, of this process too."""
    old = root / "mnt"
    os.chdir(root)
    subprocess.run(["pivot_root", ".", str(old.relative_to(root))], check=True)
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/mnt"], check=True)


def install_commands(interpreter: str, client: str) -> None:
    """Puts our own `systemctl` and its relatives where programs look for them."""
    text = f"#!/bin/sh\nexec {interpreter} -I -S {client} \"$(basename \"$0\")\" \"$@\"\n"
    for name in _COMMANDS:
        path = Path("/usr", name)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)
