"""Find, download and verify the files that studies and training sets are made of.

A file is looked for in the folder that ``NEUROCNNF_DATA`` names, then in the user's cache, and is then
downloaded into the cache. What the registry knows a SHA-256 for is used only if it has that hash.
"""

from __future__ import annotations

import functools
import io
import logging
import os
import tempfile
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pandas as pd
import pooch
import requests

from neurocnnf.progress import Progress

REGISTRY_COLUMNS = ("file", "bytes", "sha256", "kind", "url", "licence", "citation")
TIMEOUT_S = (10, 60)  # to connect, between two pieces of the answer
_LOG = logging.getLogger(__name__)


class DataError(RuntimeError):
    """A file that cannot be used."""


class DataMissing(DataError):
    """A file that is neither here nor to be had: its name, the reason, its address ("" where it has none)."""

    def __init__(self, name: str, reason: str, url: str = ""):
        super().__init__(name, reason, url)
        self.name, self.reason, self.url = name, reason, url

    def __str__(self) -> str:
        """Say which file, why, and how to supply it."""
        source = f"Its address is {self.url}" if self.url else "It has no address"
        return f"{self.name} is missing: {self.reason}. {source}; put it at $NEUROCNNF_DATA/{self.name}."


class DataCorrupt(DataError):
    """A file with another SHA-256 than expected, and where it came from; it is never used."""

    def __init__(self, name: str, expected: str, found: str, where: str = ""):
        super().__init__(name, expected, found, where)
        self.name, self.expected, self.found, self.where = name, expected, found, where

    def __str__(self) -> str:
        """Say which file, both hashes, and what to do."""
        return (
            f"{self.name} is corrupt and not used: expected SHA-256 {self.expected}, got {self.found} from "
            f"{self.where}. Remove or replace that file, and fetch it again."
        )


def read_registry(source: str | Path | pd.DataFrame | None = None) -> pd.DataFrame:
    """Read a registry of files (a CSV file or a table), by default the package's own.

    Returns
    -------
    pandas.DataFrame
        `REGISTRY_COLUMNS`, one row per file: str ("" where unknown), and ``bytes`` as nullable Int64.

    Raises
    ------
    DataError
        If a column is missing or a file is listed twice.
    """
    if isinstance(source, pd.DataFrame):
        table = source
    else:
        path = files("neurocnnf") / "registry.csv" if source is None else Path(source)
        table = pd.read_csv(io.StringIO(path.read_text(encoding="utf-8")), dtype=str, keep_default_na=False)
    absent = [column for column in REGISTRY_COLUMNS if column not in table]
    if absent:
        raise DataError(f"registry: expected columns {REGISTRY_COLUMNS}, got none named {absent}. Add them.")
    twice = table["file"][table["file"].duplicated()]
    if len(twice):
        raise DataError(f"registry: expected each file once, got {twice.iloc[0]!r} again. Remove the repeat.")
    typed = {"bytes": pd.to_numeric(table["bytes"]).astype("Int64"), "sha256": table["sha256"].str.lower()}
    return table.assign(**typed)[list(REGISTRY_COLUMNS)]


@functools.cache
def _digest(path: str, mtime_ns: int, size: int) -> str:
    """Return the SHA-256 of a file; time and size are there so that a changed file is read again."""
    return pooch.file_hash(path, alg="sha256")


def _sha256_of(path: Path) -> str:
    status = path.stat()
    return _digest(str(path), status.st_mtime_ns, status.st_size)


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise ValueError(f"name: expected a relative one like 'study/file.npy', got {name!r}. Use it.")


def _retrieve(name: str, row: dict, folder: str, retries: int, progress: bool) -> tuple[Path, str]:
    """Download into `folder`; return the path and the SHA-256 found. A wrong hash is a DataCorrupt."""
    url, known, found = row["url"], row["sha256"] or None, ""
    http = pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT_S)

    def downloader(address, output_file, pup):
        nonlocal found
        try:
            http(address, output_file, pup)
        except requests.HTTPError as error:
            status = error.response.status_code
            if status >= 500 or status in (408, 429):  # busy or slow: worth asking again
                raise
            raise OSError(f"the server answered {status} {error.response.reason}") from error
        found = pooch.file_hash(output_file, alg="sha256")

    one_file = pooch.create(folder, "", registry={name: known}, urls={name: url}, retry_if_failed=retries)
    try:
        return Path(one_file.fetch(name, downloader=downloader)), found
    except ValueError as error:
        if isinstance(error, requests.RequestException):  # a malformed address
            raise
        raise DataCorrupt(name, str(known), found, url) from error


class DataStore:
    """The studies and training sets: `root`, then `cache`, then download into `cache`.

    Files that the registry does not know (a user's own recordings) are accepted as they are.

    Parameters
    ----------
    root
        Folder that holds the studies; never written to. By default ``NEUROCNNF_DATA``, if set.
    cache, registry
        Folder that downloads are kept in, by default the user's cache folder; what `read_registry` takes.
    retries, progress
        How often a failed download is tried again; whether to show a progress bar on stderr.

    Raises
    ------
    DataError
        If `root` is not a folder, or the registry is malformed.
    """

    def __init__(self, root=None, cache=None, *, registry=None, retries: int = 2, progress: bool = True):
        root = root if root is not None else os.environ.get("NEUROCNNF_DATA")
        self.root = Path(root).expanduser() if root else None
        if self.root is not None and not self.root.is_dir():
            raise DataError(f"root: expected a folder, got {str(root)!r}. Correct or unset NEUROCNNF_DATA.")
        self.cache = Path(cache or pooch.os_cache("neurocnnf")).expanduser()
        self._folders = [folder for folder in (self.root, self.cache) if folder is not None]
        self.registry = read_registry(registry)
        self.retries, self.progress = retries, progress
        self._rows = self.registry.set_index("file").to_dict("index")
        self._unreachable: set[str] = set()
        self._warned: set[str] = set()

    def registered(self, pattern: str = "*") -> list[str]:
        """Return the registered names that match `pattern` (``*`` crosses folders), here or not, sorted."""
        return sorted(name for name in self._rows if fnmatchcase(name, pattern))

    def locate(self, name: str) -> Path | None:
        """Return where the file lies in root or cache, unverified, or None."""
        _check_name(name)
        return next((folder / name for folder in self._folders if (folder / name).is_file()), None)

    def available(self, name: str) -> bool:
        """Say whether the file is in root or cache with the right size; nothing is downloaded or hashed."""
        path = self.locate(name)
        expected = self._rows.get(name, {}).get("bytes", pd.NA)
        return path is not None and (pd.isna(expected) or path.stat().st_size == expected)

    def glob(self, pattern: str) -> list[str]:
        """Return the names of files in root or cache that match, sorted; ``*`` stays within a folder."""
        _check_name(pattern)
        names = {p.relative_to(f).as_posix() for f in self._folders for p in f.glob(pattern) if p.is_file()}
        return sorted(n for n in names if not any(part.startswith(".") for part in PurePosixPath(n).parts))

    def sha256(self, name: str) -> str:
        """Return the SHA-256 in hex of the verified file; raises as `fetch` does."""
        return _sha256_of(self.fetch(name))

    def fetch(self, name: str) -> Path:
        """Return the path of the verified file ``"study/name"``, after downloading it if need be.

        Raises
        ------
        DataMissing, DataCorrupt
            If it is not here and cannot be downloaded; if it has another hash, even if the cache's is right.
        """
        path = self.locate(name)
        if path is None:
            return self._download(name)
        expected = self._rows.get(name, {}).get("sha256") or self._kept_hash(path)
        if not expected:
            self._warn_unverified(name, path)
        elif _sha256_of(path) != expected:
            raise DataCorrupt(name, expected, _sha256_of(path), str(path))
        return path

    def _kept_hash(self, path: Path) -> str:
        """Return the hash found when a file without a known one was downloaded, or ""."""
        note = path.with_name(f".{path.name}.sha256")
        return note.read_text().strip() if path.is_relative_to(self.cache) and note.is_file() else ""

    def _warn_unverified(self, name: str, path: Path) -> None:
        if name in self._rows and name not in self._warned:
            self._warned.add(name)
            _LOG.warning("%s: no hash is known for it; accepted with SHA-256 %s", name, _sha256_of(path))

    def _download(self, name: str) -> Path:
        row = self._rows.get(name)
        looked = f"not in NEUROCNNF_DATA ({self.root or 'not set'}) nor in the cache ({self.cache})"
        if row is None:
            raise DataMissing(name, f"{looked}, and not registered: is the name right?")
        url, target = row["url"], self.cache / name
        if not url:
            raise DataMissing(name, f"{looked}; it is derived data, which cannot be downloaded")
        host = urlsplit(url).netloc
        if host in self._unreachable:
            raise DataMissing(name, f"{looked}; {host} could not be reached earlier in this run", url)
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            # The folder is removed whatever happens: a partial download never gets a name we look for.
            with tempfile.TemporaryDirectory(dir=self.cache, prefix=".incoming-") as folder:
                path, found = _retrieve(name, row, folder, self.retries, self.progress)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            if not row["sha256"]:
                target.with_name(f".{target.name}.sha256").write_text(found + "\n")
                self._warn_unverified(name, target)
        except OSError as error:  # every error of requests is one
            why = f"downloading failed: {error}"
            if isinstance(error, requests.ConnectionError):
                self._unreachable.add(host)
                why = f"{host} could not be reached"
            raise DataMissing(name, f"{looked}; {why}", url) from error
        return target

    def state(self, name: str) -> str:
        """Return "here" (in root), "cached", "missing" or "corrupt"; nothing is downloaded."""
        path = self.locate(name)
        if path is None:
            return "missing"
        try:
            self.fetch(name)
        except DataCorrupt:
            return "corrupt"
        return "here" if self.root is not None and path == self.root / name else "cached"


def inventory(store: DataStore) -> pd.DataFrame:
    """List every registered file, and what else but READMEs lies in the studies' folders.

    Returns
    -------
    pandas.DataFrame
        file (sorted), study, bytes (Int64; of what is here, else as registered), state ("here", "cached",
        "missing", "corrupt"), downloadable (bool), licence, citation.
    """
    own = {name for name in store.glob("*/*") if PurePosixPath(name).name != "README.md"}
    unknown = {"bytes": pd.NA, "url": "", "licence": "not registered", "citation": ""}
    registered, rows = store.registry.set_index("file").to_dict("index"), []
    for name in sorted(own | set(registered)):
        entry, path = registered.get(name, unknown), store.locate(name)
        size = path.stat().st_size if path is not None else entry["bytes"]
        source = (bool(entry["url"]), entry["licence"], entry["citation"])
        rows.append((name, name.split("/")[0], size, store.state(name), *source))
    columns = ["file", "study", "bytes", "state", "downloadable", "licence", "citation"]
    return pd.DataFrame(rows, columns=columns).astype({"bytes": "Int64"})


def fetch_all(store: DataStore, pattern: str = "*", progress: Progress | None = None) -> pd.DataFrame:
    """Fetch every registered file whose name matches `pattern`; one that fails does not stop the others.

    `progress` is called before each file with (name, number done, number in all). Returns the columns file,
    state (as in `inventory`) and detail (the error, or ""). ValueError if no name matches.
    """
    names, rows = store.registered(pattern), []
    if not names:
        raise ValueError(f"pattern: expected one that matches registered files, got {pattern!r}. Try '*'.")
    for done, name in enumerate(names):
        if progress is not None:
            progress(name, done, len(names))
        try:
            store.fetch(name)
            rows.append((name, store.state(name), ""))
        except DataError as error:
            rows.append((name, store.state(name), str(error)))
    return pd.DataFrame(rows, columns=["file", "state", "detail"])
