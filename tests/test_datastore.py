"""The store finds, downloads and verifies; what is wrong is refused by name and leaves nothing behind."""

import hashlib
import logging
import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from neurocnnf import datastore
from neurocnnf.datastore import DataCorrupt, DataError, DataMissing, DataStore

CONTENT = bytes(range(256)) * 512  # 128 KiB, more than one piece of a download
NAME = "study/file.bin"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def row(name=NAME, content=CONTENT, url="", **other) -> dict:
    values = (name, str(len(content)), sha256(content), "upstream", url, "MIT", "A (2020)")
    return dict(zip(datastore.REGISTRY_COLUMNS, values, strict=True)) | other


def registry(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(rows or [row()], columns=list(datastore.REGISTRY_COLUMNS))


class Handler(BaseHTTPRequestHandler):
    """Answers by path: /good, /other (another content), /missing, /busy (503 once), /half (dies half way)."""

    def do_GET(self):
        self.server.asked.append(self.path)
        busy = self.path == "/busy" and self.server.asked.count("/busy") == 1
        if busy or self.path == "/missing":
            return self.send_error(503 if busy else 404)
        content = CONTENT[::-1] if self.path == "/other" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/half" else content)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.asked = []
        http.address = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield http
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Skip the pauses between attempts, and the user's own settings."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.delenv("NEUROCNNF_DATA", raising=False)


@pytest.fixture
def make(tmp_path):
    """Make a store over tmp_path/root and tmp_path/cache."""
    (tmp_path / "root").mkdir()

    def made(*rows, **options):
        options = {"retries": 0, "progress": False} | options
        return DataStore(tmp_path / "root", tmp_path / "cache", registry=registry(*rows), **options)

    return made


def put(folder, name=NAME, content=CONTENT):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_good_download_lands_in_the_cache_verified(make, server):
    store = make(row(url=f"{server.address}/good"))
    assert not store.available(NAME)
    assert not store.cache.exists()  # making a store writes nothing
    path = store.fetch(NAME)
    assert path == store.cache / NAME
    assert path.read_bytes() == CONTENT
    assert list(store.cache.rglob("*.*")) == [path]
    assert store.sha256(NAME) == sha256(CONTENT)
    assert store.available(NAME)
    assert server.asked == ["/good"]  # fetching it again reads the cache


def test_a_progress_bar_goes_to_stderr(make, server, capsys):
    make(row(url=f"{server.address}/good"), progress=True).fetch(NAME)
    captured = capsys.readouterr()
    assert "100%" in captured.err
    assert captured.out == ""


def test_a_download_with_another_hash_is_refused_and_leaves_nothing(make, server):
    store = make(row(url=f"{server.address}/other"))
    hashes = f"{sha256(CONTENT)}, got {sha256(CONTENT[::-1])}"
    with pytest.raises(DataCorrupt, match=f"{NAME} is corrupt.*{hashes}"):
        store.fetch(NAME)
    assert list(store.cache.iterdir()) == []


@pytest.mark.parametrize("known", [sha256(CONTENT), ""], ids=["hash known", "hash unknown"])
def test_a_server_that_dies_half_way_leaves_nothing(make, server, known):
    store = make(row(url=f"{server.address}/half", sha256=known), retries=2)
    with pytest.raises(DataMissing, match=f"{NAME} is missing.*downloading failed"):
        store.fetch(NAME)
    assert server.asked == ["/half"] * 3
    assert list(store.cache.iterdir()) == []
    assert not store.available(NAME)


def test_an_interrupted_download_leaves_nothing(make, server, monkeypatch):
    def interrupted(self, url, output_file, pup):
        with open(output_file, "wb") as stream:
            stream.write(CONTENT[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", interrupted)
    store = make(row(url=f"{server.address}/good"))
    with pytest.raises(KeyboardInterrupt):
        store.fetch(NAME)
    assert list(store.cache.iterdir()) == []


def test_a_404_names_address_and_remedy_at_once_but_a_busy_server_is_asked_again(make, server):
    store = make(row(url=f"{server.address}/missing"), retries=2)
    with pytest.raises(DataMissing, match=rf"404.*{server.address}/missing.*\$NEUROCNNF_DATA/{NAME}"):
        store.fetch(NAME)
    assert server.asked == ["/missing"]
    assert make(row(url=f"{server.address}/busy"), retries=1).fetch(NAME).read_bytes() == CONTENT
    assert server.asked == ["/missing", "/busy", "/busy"]


def test_a_host_that_cannot_be_reached_is_asked_once_a_run(make, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        address = f"http://127.0.0.1:{closed.server_address[1]}"
    store = make(row(url=f"{address}/good"), row("study/b", url=f"{address}/good"))
    with pytest.raises(DataMissing, match=r"127\.0\.0\.1:\d+ could not be reached\."):
        store.fetch(NAME)
    with pytest.raises(DataMissing, match="could not be reached earlier in this run"):
        store.fetch("study/b")


def test_a_malformed_address_or_a_cache_that_cannot_be_written_is_a_missing_file(make, server, tmp_path):
    with pytest.raises(DataMissing, match=r"downloading failed: .*nowhere"):
        make(row(url="nowhere")).fetch(NAME)
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(DataMissing, match=r"downloading failed: .*cache"):
        make(row(url=f"{server.address}/good")).fetch(NAME)


def test_the_order_is_root_then_cache_then_download(make, server):
    store = make(row(url=f"{server.address}/good"))
    assert store.state(NAME) == "missing"
    put(store.cache)
    assert (store.fetch(NAME), store.state(NAME)) == (store.cache / NAME, "cached")
    put(store.root)
    assert (store.fetch(NAME), store.state(NAME)) == (store.root / NAME, "here")
    assert server.asked == []


@pytest.mark.parametrize("place", ["root", "cache"])
@pytest.mark.parametrize("bad", [CONTENT[:-1], CONTENT[:-1] + b"?"], ids=["truncated", "altered"])
def test_a_corrupt_file_here_is_refused_with_both_hashes(make, server, place, bad):
    store = make(row(url=f"{server.address}/good"))
    path = put(getattr(store, place), content=bad)
    if place == "root":  # refused although the cache has the right one
        put(store.cache)
    message = f"{NAME}.*expected SHA-256 {sha256(CONTENT)}, got {sha256(bad)} from {path}"
    with pytest.raises(DataCorrupt, match=message) as caught:
        store.fetch(NAME)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert isinstance(caught.value, DataError)
    assert store.available(NAME) == (len(bad) == len(CONTENT))
    assert path.read_bytes() == bad  # neither used nor touched
    assert server.asked == []


def test_a_file_that_changes_is_verified_again_and_one_that_does_not_is_not(make, monkeypatch):
    read = []
    digest = datastore.pooch.file_hash
    monkeypatch.setattr("pooch.file_hash", lambda path, alg: read.append(path) or digest(path, alg))
    store = make()
    path = put(store.root)
    store.fetch(NAME)
    store.fetch(NAME)
    assert len(read) == 1
    path.write_bytes(b"changed")
    with pytest.raises(DataCorrupt, match=sha256(b"changed")):
        store.fetch(NAME)


def test_a_derived_file_can_only_come_from_the_users_folder(make):
    store = make(row(kind="derived"))
    with pytest.raises(DataMissing, match=r"derived data.*It has no address; put it at \$NEUROCNNF_DATA/study"):
        store.fetch(NAME)
    put(store.root)
    assert store.fetch(NAME) == store.root / NAME


def test_a_file_without_a_known_hash_is_accepted_with_a_warning_and_its_hash_kept(make, server, caplog):
    unknown = row(url=f"{server.address}/good", sha256="", bytes="", kind="not here")
    with caplog.at_level(logging.WARNING):
        path = make(unknown).fetch(NAME)
    assert f"{NAME}: no hash is known for it; accepted with SHA-256 {sha256(CONTENT)}" in caplog.text
    caplog.clear()
    assert make(unknown).fetch(NAME) == path
    assert caplog.text == ""  # from now on it is verified
    path.write_bytes(CONTENT[:50])
    with pytest.raises(DataCorrupt, match=f"expected SHA-256 {sha256(CONTENT)}, got {sha256(CONTENT[:50])}"):
        make(unknown).fetch(NAME)
    store = make(unknown)
    assert store.glob("study/*") == [NAME]  # the note beside it is not listed
    put(store.root, content=b"my own")  # for which there is no note
    assert [store.sha256(NAME) for _ in range(2)] == [sha256(b"my own")] * 2
    assert caplog.text.count("no hash is known") == 1
    assert store.available(NAME)


def test_files_that_the_registry_does_not_know_are_accepted_from_root(make):
    store = make()
    path = put(store.root, "study/session_of_mine.npy", b"mine")
    assert store.fetch("study/session_of_mine.npy") == path
    assert store.sha256("study/session_of_mine.npy") == sha256(b"mine")
    with pytest.raises(DataMissing, match=r"study/typo is missing: .*not registered: is the name right"):
        store.fetch("study/typo")


@pytest.mark.parametrize("name", ["/etc/hosts", "../outside", "study/../../outside", ""])
def test_names_that_leave_the_folder_are_refused(make, name):
    with pytest.raises(ValueError, match=r"expected a relative one like 'study/file\.npy'"):
        make().locate(name)


def test_glob_lists_root_and_cache_once_without_hidden_or_downloadable_files(make, server):
    store = make(row("study/c", url=f"{server.address}/good"))
    for folder, name in [(store.root, "a"), (store.root, "b"), (store.cache, "b"), (store.cache, ".hidden")]:
        put(folder, f"study/{name}")
    put(store.cache, ".incoming-1/d")
    assert store.glob("study/*") == ["study/a", "study/b"]
    assert store.glob("*/*") == ["study/a", "study/b"]
    assert store.registered("study/*") == ["study/c"]


def test_the_root_defaults_to_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROCNNF_DATA", str(tmp_path))
    assert DataStore().root == tmp_path
    monkeypatch.setenv("NEUROCNNF_DATA", "")
    assert DataStore().root is None
    with pytest.raises(DataError, match=r"root: expected a folder, got '.*nowhere'"):
        DataStore(tmp_path / "nowhere")


def test_the_inventory_says_what_is_here_cached_missing_and_corrupt(make):
    store = make(*(row(f"s/{name}", url="http://x/y") for name in "abcd"), row("s/e", kind="derived"))
    put(store.root, "s/a")
    put(store.cache, "s/b")
    put(store.root, "s/c", b"broken")
    put(store.root, "s/mine", b"mine")
    put(store.root, "s/README.md")
    put(store.root, "SOURCES.csv")
    table = datastore.inventory(store)
    assert list(table) == ["file", "study", "bytes", "state", "downloadable", "licence", "citation"]
    assert table["file"].tolist() == ["s/a", "s/b", "s/c", "s/d", "s/e", "s/mine"]
    assert table["state"].tolist() == ["here", "cached", "corrupt", "missing", "missing", "here"]
    assert table["downloadable"].tolist() == [True] * 4 + [False] * 2
    assert table["bytes"].tolist() == [len(CONTENT)] * 2 + [6, len(CONTENT), len(CONTENT), 4]
    assert table["licence"].tolist() == ["MIT"] * 5 + ["not registered"]


def test_fetch_all_goes_on_after_a_failure_and_reports_each(make, server):
    rows = (row("s/a", url=f"{server.address}/missing"), row("s/b", url=f"{server.address}/good"))
    store = make(*rows, row("t/c"))
    seen = []
    table = datastore.fetch_all(store, "s/*", lambda *progress: seen.append(progress))
    assert table["file"].tolist() == ["s/a", "s/b"]
    assert table["state"].tolist() == ["missing", "cached"]
    assert "404" in table["detail"][0]
    assert table["detail"][1] == ""
    assert seen == [("s/a", 0, 2), ("s/b", 1, 2)]
    with pytest.raises(ValueError, match="expected one that matches registered files, got 'x'"):
        datastore.fetch_all(store, "x")


def test_a_registry_needs_its_columns_and_each_file_once(tmp_path):
    with pytest.raises(DataError, match=r"got none named .*licence"):
        datastore.read_registry(registry().drop(columns="licence"))
    path = tmp_path / "registry.csv"
    registry(row(), row()).to_csv(path, index=False)
    with pytest.raises(DataError, match=f"expected each file once, got '{NAME}' again"):
        datastore.read_registry(path)


def test_the_packages_registry_is_complete():
    table = datastore.read_registry()
    assert table["kind"].isin(["upstream", "derived", "not here"]).all()
    assert ((table["url"] == "") == (table["kind"] == "derived")).all()
    assert ((table["sha256"] == "") == (table["kind"] == "not here")).all()
    assert table.loc[table["sha256"] != "", "sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert (table[["licence", "citation"]] != "").all(axis=None)
    assert {"cifar10/cifar-10-python.tar.gz", "fashion_mnist/t10k-labels-idx1-ubyte.gz"} <= set(table["file"])


def test_every_real_study_file_has_the_registered_hash(studies):
    assert "corrupt" not in set(datastore.inventory(studies)["state"])
