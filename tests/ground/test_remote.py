"""Addresses: read by ranges from web servers of all tempers, written to object stores whole or not at all."""

import errno
import functools
import http.server
import logging
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import fsspec
import h5py
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galsmith import simulate
from galsmith.cli import main
from galsmith.data import ingest
from galsmith.data.options import SetOptions
from galsmith.data.store import companions_of, open_store, verify_store, write_store
from galsmith.errors import InputError, OutputError, OutputExistsError, SettingsError
from galsmith.files import place_of
from galsmith.files.remote import place as places
from galsmith.files.remote import system as systems
from galsmith.files.remote.object_store import ObjectStore
from galsmith.files.remote.ranges import RangeReader
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure, read_measurements

POWER = MeasureSettings(quantities=("power",))
RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as its server's `temper` says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):  # noqa: C901
        server, path = self.server, Path(self.translate_path(self.path))
        server.asked.append((self.command, self.path, self.headers.get("Range")))
        status = server.status_of(self.path, len(server.asked))
        if status:
            self.send_response(status)
            for name, value in server.headers_of_faults.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path.is_dir():
            super().do_GET() if with_body else super().do_HEAD()
            return
        if not path.is_file():
            self.send_error(404)
            return
        content, asked = path.read_bytes(), RANGE.fullmatch(self.headers.get("Range", ""))
        whole = len(content)
        is_part = bool(asked) and server.knows_ranges
        if is_part:
            first, last = int(asked[1]), min(int(asked[2]), whole - 1)
            content = content[first : last + 1]
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not with_body:
            return
        if server.closes_early and len(server.asked) % 3 == 0:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        server.bytes_sent += len(content)
        self.wfile.write(content)


@contextmanager
def served(folder, *, knows_ranges=True, status_of=lambda path, number: 0, closes_early=False, faults=None):
    """Serve a folder; gives the server, whose `address` it has."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    server.knows_ranges, server.status_of, server.closes_early = knows_ranges, status_of, closes_early
    server.asked, server.bytes_sent, server.tag = [], 0, '"1"'
    server.headers_of_faults = faults or {}
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Keep copies in a folder of the test, wait for nothing, and begin with an empty memory."""
    monkeypatch.setenv("GALSMITH_REMOTE_FOLDER", str(tmp_path / "far"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(systems, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(places, "WORTH_SECONDS", 0.0)
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store of 1,000 images of 64 px, of which the part files are larger than what is read at once."""
    folder = tmp_path_factory.mktemp("made")
    pixels = np.random.default_rng(3).normal(size=(1000, 1, 64, 64)).astype(np.float32)
    write_store(folder / "store", image_set_from_arrays(pixels, ImageHeader(("r",), "nJy")))
    (folder / "cut").mkdir()
    (folder / "pictures").mkdir()
    for number in range(5):
        planes = np.random.default_rng(number).normal(size=(8, 8)).astype(np.float32)
        fits.writeto(folder / "cut" / f"{number}.fits", planes)
        Image.fromarray((planes * 20 + 100).astype(np.uint8)).save(folder / "pictures" / f"{number}.png")
    fits.writeto(folder / "packed.fits.gz", planes)
    return folder


def test_little_more_is_fetched_than_ten_images_of_a_thousand_are(made):
    rows = np.random.default_rng(1).choice(1000, 10, replace=False)
    local = open_store(made / "store").pixels.read(rows)
    with served(made) as server:
        far = open_store(f"{server.address}/store")
        before = server.bytes_sent
        read = far.pixels.read(rows)
        fetched = server.bytes_sent - before
    assert np.array_equal(local, read)
    parts = len({row // 256 for row in rows})
    ideal = sum(image.nbytes for image in local)
    # the insides of each part are read once: where its chunks lie
    assert ideal < fetched < 1.1 * ideal + parts * 64 * 1024
    size = sum(file.stat().st_size for file in (made / "store" / "images").iterdir())
    assert fetched < size / 20


def test_all_images_in_their_order_are_fetched_ahead(made):
    with served(made) as server:
        images = open_store(f"{server.address}/store").pixels.read(range(256))
        asked = [entry for entry in server.asked if "part-00000" in entry[1]]
    assert len(images) == 256
    assert len(asked) < 20


@pytest.mark.parametrize(
    "temper",
    [
        {},
        {"knows_ranges": False},
        {"closes_early": True},
        {"status_of": lambda path, number: 503 if number % 3 == 1 else 0},
        {"status_of": lambda path, number: 429 if number % 4 == 2 else 0, "closes_early": True},
    ],
    ids=["plain", "without ranges", "closes early", "503 at times", "both"],
)
def test_a_store_reads_alike_from_servers_of_all_tempers(made, temper):
    with served(made, **temper) as server:
        far = open_store(f"{server.address}/store")
        local = open_store(made / "store")
        assert far.content_hash == local.content_hash
        assert np.array_equal(far.pixels.read([3, 700]), local.pixels.read([3, 700]))
        assert companions_of(far, [0]) is None
        assert far.path == f"{server.address}/store"
        assert verify_store(far.path) == []


def test_a_flipped_byte_is_seen_from_afar(made, tmp_path):
    place = tmp_path / "store"
    write_store(place, image_set_from_arrays(np.ones((4, 1, 64, 64), np.float32), ImageHeader(("r",), "nJy")))
    part = next((place / "images").iterdir())
    content = bytearray(part.read_bytes())
    content[-100] ^= 1
    part.write_bytes(content)
    with served(tmp_path) as server:
        faults = verify_store(f"{server.address}/store")
    assert len(faults) == 1
    assert "bytes differ" in faults[0]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "there is no such store"),
        (403, r"access is refused \(403 .*~/.netrc"),
        (401, "access is refused"),
        (500, "cannot be reached"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(made, status, said, capsys):
    with served(made, status_of=lambda path, number: status) as server:
        assert main(["ingest", "store", f"{server.address}/store", "-o", "made"]) == 1
        address = server.address
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert address in lines[0]
    assert re.search(said, lines[0])
    assert not Path("made").exists()


def test_a_file_that_is_replaced_while_it_is_read_is_told(made):
    with served(made) as server:
        pixels = open_store(f"{server.address}/store").pixels
        pixels.read([0])
        server.tag = '"2"'
        with pytest.raises(InputError, match="replaced while it was read"):
            pixels.read([200])


@pytest.mark.parametrize("kind", ["fits", "folder"])
def test_a_folder_of_files_becomes_the_same_store(made, tmp_path, kind):
    name = {"fits": "cut", "folder": "pictures"}[kind]
    local = ingest.ingest(kind, made / name, tmp_path / "local")
    with served(made) as server:
        far = ingest.ingest(kind, f"{server.address}/{name}", tmp_path / "far store")
        globbed = ingest.ingest(kind, f"{server.address}/{name}/[0-2]*.*", tmp_path / "globbed")
    assert far.content_hash == local.content_hash
    assert len(globbed) == 3


def test_an_unreadable_object_among_good_ones_is_left_out_where_that_is_asked_for(made, tmp_path):
    def status_of(path, number):
        return 403 if path.endswith("2.fits") else 0

    with served(made, status_of=status_of) as server:
        source = f"{server.address}/cut"
        with pytest.raises(InputError, match=r"2\.fits: .*access is refused"):
            ingest.fits(source, tmp_path / "stopped")
        images = ingest.fits(source, tmp_path / "left", options=SetOptions(on_bad="skip"))
    assert len(images) == 4
    assert images.catalog.meta["left_out"] == {"truncated or damaged": 1}
    assert f"{source}/2.fits" in images.catalog.meta["left_out_files"][0]


def test_what_is_measured_from_afar_is_what_is_measured_here(made, tmp_path):
    with served(made) as server:
        far = measure(f"{server.address}/store", tmp_path / "far.parquet", settings=POWER, limit=5)
        files = measure(f"{server.address}/cut", tmp_path / "files.parquet", settings=POWER)
        packed = measure(f"{server.address}/packed.fits.gz", tmp_path / "packed.parquet", settings=POWER)
    here = measure(made / "store", tmp_path / "here.parquet", settings=POWER, limit=5)
    for name in here.colnames:
        assert np.array_equal(np.asarray(far[name]), np.asarray(here[name])), name
    assert len(files) == 5
    assert len(packed) == 1
    with served(tmp_path) as server:
        read = read_measurements(f"{server.address}/far.parquet")
        assert main(["info", f"{server.address}/far.parquet", "--verify"]) == 0
    assert read.meta["content_hash"] == far.meta["content_hash"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_server_leads_to_no_other_scheme(made, target):
    with (
        served(made, status_of=lambda path, number: 302, faults={"Location": target}) as server,
        pytest.raises(OSError, match=r"not (followed|allowed)"),
    ):
        place_of(f"{server.address}/x").read_bytes()


@pytest.mark.parametrize("kind", ["arrays", "cosmos", "skirt", "field", "cosmology"])
def test_readers_of_file_systems_refuse_addresses_first(kind, tmp_path):
    with pytest.raises(InputError, match="reads this from file systems alone"):
        ingest.ingest(kind, "https://nowhere.invalid/x", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_ranges_are_read_as_bytes_of_a_file_are():
    content = np.random.default_rng(0).bytes(2_000_000)
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return content[start:stop], "1"

    reader, rng = RangeReader("http://x", len(content), read), np.random.default_rng(2)
    for start in rng.integers(0, len(content), 200):
        reader.seek(start)
        n = int(rng.integers(0, 70_000))
        assert reader.read(n) == content[start : start + n]
    reader.seek(-10, 2)
    assert reader.read() == content[-10:]
    assert reader.read(5) == b""
    assert all(0 <= start < stop <= len(content) for start, stop in asked)


def names_in(address):
    files = fsspec.filesystem("memory")
    return sorted(name.removeprefix(f"/{address}/") for name in files.find(f"/{address}"))


def test_a_store_is_written_to_an_address_as_to_a_disk(tmp_path):
    local = simulate.sersic(tmp_path / "store", n=12, seed=1, recipe="sersic-32")
    far = simulate.sersic("memory://bucket/store", n=12, seed=1, recipe="sersic-32")
    assert far.content_hash == local.content_hash
    assert far.path == "memory://bucket/store"
    below = (tmp_path / "store").rglob("*")
    assert names_in("bucket/store") == sorted(
        str(file.relative_to(tmp_path / "store")) for file in below if file.is_file()
    )
    assert verify_store(far.path) == []
    table = measure(far.path, "memory://bucket/t.parquet", settings=POWER)
    assert read_measurements("memory://bucket/t.parquet").meta["content_hash"] == table.meta["content_hash"]
    outgoing = tmp_path / "far" / "outgoing"
    assert [file for file in outgoing.rglob("*") if file.is_file()] == []
    assert not Path("memory:").exists()
    assert names_in("bucket") == [*(f"store/{name}" for name in names_in("bucket/store")), "t.parquet"]


def test_the_same_call_finds_it_made_and_another_is_refused(caplog):
    simulate.sersic("memory://bucket/store", n=4, seed=1, recipe="sersic-32")
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        simulate.sersic("memory://bucket/store", n=4, seed=1, recipe="sersic-32")
    assert "is already there, made by the same settings" in caplog.text
    with pytest.raises(OutputExistsError, match=r"output=memory://bucket/store.*already exists"):
        simulate.sersic("memory://bucket/store", n=4, seed=2, recipe="sersic-32")
    other = simulate.sersic("memory://bucket/store", n=4, seed=2, recipe="sersic-32", overwrite=True)
    assert set(other.catalog["seed"]) != set()
    assert verify_store("memory://bucket/store") == []


def test_what_others_put_there_stays(tmp_path):
    fsspec.filesystem("memory").pipe("/bucket/thesis/thesis.tex", b"years of work")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="thesis"):
            simulate.sersic("memory://bucket/thesis", n=4, seed=1, recipe="sersic-32", overwrite=overwrite)
    assert names_in("bucket/thesis") == ["thesis.tex"]


def test_a_smaller_store_leaves_nothing_of_a_larger_one(monkeypatch):
    monkeypatch.setattr("galsmith.data.store.writer.IMAGES_PER_CHUNK", 4)
    rng = np.random.default_rng(0)
    for n in (12, 6):
        images = image_set_from_arrays(
            rng.normal(size=(n, 1, 8, 8)).astype(np.float32), ImageHeader(("r",), "nJy")
        )
        write_store("memory://bucket/set", images, overwrite=True)
        assert len(names_in("bucket/set")) == 2 + -(-n // 4)
        assert verify_store("memory://bucket/set") == []


@pytest.fixture
def shaky(monkeypatch):
    """Object stores that fail at the n-th upload, with ENOSPC as a bucket that is full, or by a kill."""
    state = {"at": 0, "count": 0, "names": [], "error": OSError(errno.ENOSPC, "the bucket is full")}
    upload = ObjectStore.upload

    def faulty(self, place, address):
        if address.endswith(".partial/lock"):
            return upload(self, place, address)
        state["count"] += 1
        if state["count"] == state["at"]:
            raise state["error"]
        state["names"].append(address)
        return upload(self, place, address)

    monkeypatch.setattr(ObjectStore, "upload", faulty)
    return state


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "the bucket is full"), KeyboardInterrupt()])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_fault_at_any_upload_leaves_no_half_store_and_the_same_call_goes_on(
    shaky, monkeypatch, error, overwrite
):
    monkeypatch.setattr("galsmith.data.store.writer.IMAGES_PER_CHUNK", 4)
    pixels = np.random.default_rng(0).normal(size=(10, 1, 8, 8)).astype(np.float32)
    images = image_set_from_arrays(pixels, ImageHeader(("r",), "nJy"))
    whole = write_store("memory://bucket/whole", images)
    total, shaky["error"] = shaky["count"], error
    assert total == 5
    assert shaky["names"][-1].endswith("dataset.json")
    for number in range(1, total + 1):
        address = f"memory://bucket/set{number}"
        if overwrite:
            write_store(address, image_set_from_arrays(-pixels, ImageHeader(("r",), "nJy")))
        shaky.update(at=number, count=0, names=[])
        with pytest.raises((OutputError, KeyboardInterrupt)):
            write_store(address, images, overwrite=overwrite)
        with pytest.raises(InputError, match=r"there is no such store|no dataset\.json in it"):
            open_store(address)
        shaky.update(at=0, names=[])
        made = write_store(address, images, overwrite=overwrite)
        assert len(shaky["names"]) == total - number + 1  # what is there is not sent again
        assert made.content_hash == whole.content_hash
        assert names_in(f"bucket/set{number}") == names_in("bucket/whole")


def test_a_bucket_that_is_full_is_told_with_what_is_there(shaky, capsys):
    shaky["at"] = 2
    assert (
        main(["simulate", "sersic", "-n", "4", "--recipe", "sersic-32", "-o", "memory://bucket/s", "--quiet"])
        == 1
    )
    said = capsys.readouterr().err
    assert re.search(
        r"memory://bucket/s/images/part-00000.h5: cannot be uploaded \(.*the bucket is full.*1 of 3 files are there",
        said,
    )
    shaky["at"] = 0
    assert (
        main(["simulate", "sersic", "-n", "4", "--recipe", "sersic-32", "-o", "memory://bucket/s", "--quiet"])
        == 0
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("CredentialsError: Unable to locate credentials", "AWS_ACCESS_KEY_ID"),
        ("ClientError: The specified bucket does not exist", "there is no such file, folder or bucket"),
        ("EndpointConnectionError: could not connect", "cannot be reached"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_starts(monkeypatch, words, said):
    class Refusing:
        def put_file(self, *_):
            raise RuntimeError(words)

    monkeypatch.setattr("galsmith.files.remote.object_store._files", lambda address: Refusing())
    with pytest.raises(OutputError, match=rf"s3://bucket/x{len(words)}: cannot be written \(.*{said}"):
        simulate.sersic(f"s3://bucket/x{len(words)}", n=10**6, seed=1, recipe="sersic-32")


def test_an_address_is_neither_its_own_input_nor_of_a_verb_that_writes_files_alone(tmp_path):
    simulate.sersic("memory://bucket/store", n=4, seed=1, recipe="sersic-32")
    with pytest.raises(SettingsError, match="which would be harmed"):
        ingest.store("memory://bucket/store", "memory://bucket/store", overwrite=True)
    with pytest.raises(SettingsError, match="which would be harmed"):
        measure("memory://bucket/store", "memory://bucket/store/t.parquet", settings=POWER)
    with pytest.raises(SettingsError, match="writes this to file systems alone"):
        measure("memory://bucket/store", "memory://bucket/t.csv", settings=POWER)
    with pytest.raises(SettingsError, match="names a bucket"):
        simulate.sersic("memory://bucket", n=4, seed=1, recipe="sersic-32")


def test_a_remote_path_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = place_of("memory://bucket/x")
    for write in (
        place.mkdir,
        place.unlink,
        place.touch,
        lambda: place.write_text("x"),
        lambda: place.open("w"),
    ):
        with pytest.raises(OSError, match="read alone"):
            write()
    assert str(place.parent / ".." / "y") == "memory://bucket/../y"
    assert str((place / ".." / "y").resolve()) == "memory://bucket/y"
    assert not Path("memory:").exists()


def test_hdf5_of_an_address_names_it(made):
    with served(made) as server:
        part = place_of(f"{server.address}/store/images/part-00000.h5")
        with part.open("rb") as stream, h5py.File(stream, "r") as file:
            assert file.filename == str(part)
