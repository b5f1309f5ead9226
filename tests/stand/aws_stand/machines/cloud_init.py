"""User data: the part of cloud-init that the product uses, strict, because cloud-init itself skips what it dislikes."""

from __future__ import annotations

import base64
import binascii
import gzip
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

LIMIT = 16 * 1024
"""Bytes of user data that EC2 takes, before base64."""
_B64 = ("b64", "base64")
_GZIP = ("gz", "gzip")
_BOTH = ("gz+b64", "gz+base64", "gzip+b64", "gzip+base64")
_ENCODINGS = ("text/plain", *_B64, *_GZIP, *_BOTH)


class UserDataError(Exception):
    """The user data is wrong, or uses what the stand does not have."""


@dataclass(frozen=True)
class File:
    """One entry of `write_files`."""

    path: str
    content: str
    """Base64."""
    owner: str = "root:root"
    permissions: int = 0o644
    append: bool = False


@dataclass(frozen=True)
class Plan:
    """What cloud-init does at the first boot of an instance."""

    files: tuple[File, ...] = ()
    script: str = ""
    """The commands of `runcmd` as one shell script: a command that fails does not stop the rest."""

    def as_json(self) -> dict[str, Any]:
        """For the instance's first process."""
        return asdict(self)


@dataclass
class _Check:
    """Collects every finding, so that one run shows all."""

    findings: list[str] = field(default_factory=list)

    def __call__(self, good: bool, text: str) -> bool:
        if not good:
            self.findings.append(text)
        return good


def read(data: bytes) -> Plan:
    """Checks user data and turns it into a plan."""
    if not data:
        return Plan()
    if len(data) > LIMIT:
        raise UserDataError(f"user data has {len(data)} bytes, EC2 takes {LIMIT}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UserDataError("user data is not text; the stand reads neither archives nor MIME") from error
    if text.splitlines()[0].rstrip() != "#cloud-config":
        raise UserDataError("user data must start with the line #cloud-config")
    try:
        document = yaml.load(text, Loader=_NoDoubles)  # a SafeLoader
    except yaml.YAMLError as error:
        raise UserDataError(f"user data is not YAML: {error}") from error
    check = _Check()
    plan = _plan(document, check)
    if check.findings:
        raise UserDataError("user data: " + "; ".join(check.findings))
    _real_schema(data)
    return plan


def _plan(document: Any, check: _Check) -> Plan:
    if not check(isinstance(document, dict), "must be a mapping"):
        return Plan()
    for key in document:
        check(key in ("write_files", "runcmd"), f"the stand does not know {key!r}")
    files = document.get("write_files", [])
    commands = document.get("runcmd", [])
    if not check(isinstance(files, list), "write_files must be a list"):
        files = []
    if not check(isinstance(commands, list), "runcmd must be a list"):
        commands = []
    made = [file for number, entry in enumerate(files) if (file := _file(entry, f"write_files[{number}]", check))]
    lines = [_command(entry, f"runcmd[{number}]", check) for number, entry in enumerate(commands)]
    return Plan(tuple(made), "#!/bin/sh\n" + "\n".join(lines) + "\n" if lines else "")


def _file(entry: Any, where: str, check: _Check) -> File | None:
    if not check(isinstance(entry, dict), f"{where} must be a mapping"):
        return None
    known = {"path": str, "content": str, "owner": str, "permissions": str, "encoding": str, "append": bool}
    for key, value in entry.items():
        if check(key in known, f"{where}: unknown key {key!r}"):
            # A number as permissions is read by YAML 1.1 as octal or decimal, depending on how it is written.
            check(isinstance(value, known[key]), f"{where}.{key} must be {known[key].__name__}, is {value!r}")
    if check.findings:
        return None
    path, encoding = entry.get("path", ""), entry.get("encoding", "text/plain")
    permissions = entry.get("permissions", "0644")
    check(path.startswith("/"), f"{where}.path must be absolute")
    check(encoding in _ENCODINGS, f"{where}.encoding {encoding!r} is unknown")
    check(set(permissions) <= set("01234567") and permissions != "", f"{where}.permissions {permissions!r} is not octal")
    if check.findings:
        return None
    try:
        content = _decode(entry.get("content", ""), encoding)
    except (binascii.Error, OSError, EOFError) as error:
        check(False, f"{where}.content is not {encoding}: {error}")
        return None
    text = base64.b64encode(content).decode()
    return File(path, text, entry.get("owner", "root:root"), int(permissions, 8), entry.get("append", False))


def _decode(content: str, encoding: str) -> bytes:
    data = content.encode()
    if encoding in _B64 or encoding in _BOTH:
        data = base64.b64decode("".join(content.split()), validate=True)
    if encoding in _GZIP or encoding in _BOTH:
        data = gzip.decompress(data)
    return data


def _command(entry: Any, where: str, check: _Check) -> str:
    if isinstance(entry, str):
        return entry
    good = isinstance(entry, list) and all(isinstance(word, str) for word in entry)
    if check(good, f"{where} must be text or a list of texts"):
        return " ".join(shlex.quote(word) for word in entry)
    return ""


def _real_schema(data: bytes) -> None:
    """Asks cloud-init itself, where it is installed; CI has it."""
    tool = shutil.which("cloud-init")
    if tool is None:
        if os.environ.get("CI"):
            raise UserDataError("CI needs cloud-init, to check user data with its own schema")
        return
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        done = subprocess.run([tool, "schema", "--config-file", file.name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserDataError(f"cloud-init schema refuses the user data: {(done.stderr or done.stdout).strip()}")


class _NoDoubles(yaml.SafeLoader):
    """YAML lets a later key replace an earlier one in silence; here that is an error."""


def _mapping(loader: _NoDoubles, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.YAMLError(f"the key {key!r} is there twice{key_node.start_mark}")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_NoDoubles.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
