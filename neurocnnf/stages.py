"""Stages: files that stand beside a note of what they were made from, and are not made twice.

Only the standard library is used: make also runs this file alone, to see quickly whether the data changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CHUNK_BYTES = 1 << 20


def write_atomically(path: Path, content: bytes | Callable[[Path], object]) -> Path:
    """Write a file under a temporary name, then rename it: nobody ever sees half a file.

    Parameters
    ----------
    path
        Where it shall stand; its folder is made where it is missing.
    content
        The bytes, or a function that writes them to the path it is given.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    FileNotFoundError
        If the function did not write to the path that it was given.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Writers that look at a name's ending still find it.
    part = path.with_name(f"{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        if callable(content):
            content(part)
        else:
            part.write_bytes(content)
        if not part.exists():
            raise FileNotFoundError(
                f"write_atomically: expected {path.name} to be written to the path given, got no file. "
                "Let the function write to its argument."
            )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def source_hash(folders: Iterable[Path]) -> str:
    """Return one SHA-256 of the names and contents of every ``.py`` file below `folders`."""
    digest = hashlib.sha256()
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder.parent).as_posix()
            digest.update(f"{name} {file_hash(path)}\n".encode())
    return digest.hexdigest()


def weights_hash(model) -> str:
    """Return one SHA-256 of the names, shapes, types and values of a model's weights (its ``state_dict``)."""
    return tensors_hash(model.state_dict())


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return one SHA-256 of the names, shapes, types and values of tensors."""
    import torch  # only here: make runs this file without the environment's packages

    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        # numpy has no bfloat16: the bytes are the same whatever they are called.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return ``"version:<name>"`` -> version; ``"absent"`` for a package that is not installed."""
    found = {"version:python": ".".join(map(str, sys.version_info[:3]))}
    for name in names:
        try:
            found[f"version:{name}"] = version(name)
        except PackageNotFoundError:
            found[f"version:{name}"] = "absent"
    return found


def provenance_path(out: Path) -> Path:
    """Return where the provenance of `out` stands: ``<out>.json``."""
    return Path(out).with_name(Path(out).name + ".json")


def is_up_to_date(out: Path, inputs: Mapping[str, str]) -> bool:
    """Say whether `out` was made from `inputs`, and each of its files is still what was written."""
    note = _read_note(provenance_path(out))
    outputs = note.get("outputs")
    if note.get("inputs") != dict(inputs) or not isinstance(outputs, dict):
        return False
    folder = Path(out).parent
    return all((folder / name).is_file() and file_hash(folder / name) == sha for name, sha in outputs.items())


def run_stage(
    out: Path,
    inputs: Mapping[str, str],
    function: Callable[[], Iterable[Path] | None],
    *,
    say: Callable[[str], object] | None = None,
) -> bool:
    """Run a stage, unless its outputs already stand there, made from the same inputs.

    Parameters
    ----------
    out
        A file, or the stem of several. The provenance is ``<out>.json``: what `function` itself wrote there,
        with ``inputs`` and ``outputs`` (file name -> SHA-256) added.
    inputs
        All that the outputs depend on: hashes of checkpoint, data and sources, versions, seed, command.
    function
        Makes the outputs and returns their paths, in the folder of `out`; ``None`` stands for `out` alone.
    say
        Told that the stage is up to date; by default a line on stderr.

    Returns
    -------
    bool
        Whether it ran.

    Raises
    ------
    FileNotFoundError
        If an output that `function` promised is not there.
    """
    out, note_path = Path(out), provenance_path(out)
    if is_up_to_date(out, inputs):
        (say or _say)(f"{out}: up to date")
        return False
    note_path.unlink(missing_ok=True)  # a stage that breaks off must not pass for an older one that did not
    out.parent.mkdir(parents=True, exist_ok=True)
    written = function()
    paths = [Path(path) for path in ([out] if written is None else written)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"Stage {out.name}: expected the file(s) {', '.join(missing)}, got none. "
            "Return the paths that were really written."
        )
    outputs = {os.path.relpath(path, out.parent): file_hash(path) for path in paths if path != note_path}
    note = {**_read_note(note_path), "inputs": dict(inputs), "outputs": outputs}
    write_atomically(note_path, (json.dumps(note, indent=1, sort_keys=True) + "\n").encode())
    return True


def listing(folder: str | None) -> str:
    """Describe a folder: its path, each file's name, size (bytes), modification time (ns). Reads no file."""
    if not folder:
        return "NEUROCNNF_DATA is not set\n"
    root = Path(folder)
    lines = [f"NEUROCNNF_DATA={os.path.abspath(folder)}"]
    for path in sorted(root.rglob("*")):
        if path.is_file():
            stat = path.stat()
            lines.append(f"{path.relative_to(root).as_posix()} {stat.st_size} {stat.st_mtime_ns}")
    return "\n".join(lines) + "\n"


def refresh(path: Path, text: str) -> bool:
    """Write `text` to `path` only where it says something else, so that its time tells when that changed."""
    path = Path(path)
    if path.is_file() and path.read_text() == text:
        return False
    write_atomically(path, text.encode())
    return True


def _read_note(path: Path) -> dict:
    """Read a provenance file; a missing or broken one says nothing."""
    try:
        note = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":  # python -I neurocnnf/stages.py build/.data
    refresh(Path(sys.argv[1]), listing(os.environ.get("NEUROCNNF_DATA")))
