"""Weights: where they are looked for, and files that are not the published ones."""

import functools
import hashlib
import http.server
import threading
from dataclasses import replace

import pytest

from galsmith.errors import InputError
from galsmith.features import extract
from galsmith.features.weights import INCEPTION_WEIGHTS, find_weights

CONTENT = b"weights of a network" * 100
PUBLISHED = replace(
    INCEPTION_WEIGHTS,
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    url="http://127.0.0.1:9/none",
)


@pytest.fixture(autouse=True)
def own_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GALSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GALSMITH_INCEPTION", raising=False)


def saved(path, content=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_standard_file_is_the_published_one():
    assert INCEPTION_WEIGHTS.size == 95_628_359
    assert INCEPTION_WEIGHTS.sha256.startswith("6726825d")
    assert all(name.endswith("-6726825d.pth") for name in INCEPTION_WEIGHTS.names)


@pytest.mark.parametrize("name", INCEPTION_WEIGHTS.names)
def test_found_in_the_cache_of_other_programs(tmp_path, name):
    path = saved(tmp_path / "torch" / "hub" / "checkpoints" / name)
    assert find_weights(PUBLISHED) == path


def test_found_in_the_own_cache_by_variable_and_by_argument(tmp_path, monkeypatch):
    cached = saved(tmp_path / "cache" / PUBLISHED.names[0])
    assert find_weights(PUBLISHED) == cached
    stated = saved(tmp_path / "stated.pth")
    monkeypatch.setenv("GALSMITH_INCEPTION", str(stated))
    assert find_weights(PUBLISHED) == stated
    argument = saved(tmp_path / "argument.pth")
    assert find_weights(PUBLISHED, path=argument) == argument


def test_missing_weights_name_url_size_hash_and_place(tmp_path):
    with pytest.raises(InputError, match="are not on this machine") as caught:
        find_weights(INCEPTION_WEIGHTS)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        INCEPTION_WEIGHTS.url,
        "95,628,359 bytes",
        INCEPTION_WEIGHTS.sha256,
        str(tmp_path / "cache"),
        "GALSMITH_INCEPTION",
        "download=True",
    ):
        assert part in message


def test_a_stated_file_that_is_another_one_is_refused(tmp_path):
    other = saved(tmp_path / "other.pth", CONTENT[:-1] + b"!")
    with pytest.raises(InputError, match=r"other.pth: has sha256 [0-9a-f]{64}; the weights of inception"):
        find_weights(PUBLISHED, path=other)
    with pytest.raises(InputError, match=r"no.pth: there is no such file"):
        find_weights(PUBLISHED, path=tmp_path / "no.pth")


def test_truncated_weights_are_refused(tmp_path):
    half = saved(tmp_path / "half.pth", CONTENT[:1000])
    with pytest.raises(InputError, match=r"half.pth: has 1,000 bytes: truncated; .* have 2,000 bytes"):
        find_weights(PUBLISHED, path=half)


def test_a_damaged_copy_in_a_cache_is_named_and_passed(tmp_path):
    damaged = saved(tmp_path / "torch" / "hub" / "checkpoints" / PUBLISHED.names[1], CONTENT[:10])
    with pytest.raises(InputError, match=f"{damaged.name} is damaged, remove it"):
        find_weights(PUBLISHED)
    whole = saved(tmp_path / "cache" / PUBLISHED.names[0])
    assert find_weights(PUBLISHED) == whole


def test_extracting_without_the_weights_says_so(make_galaxies):
    with pytest.raises(InputError, match="weights of inception-2015-12-05 are not on this machine"):
        extract(make_galaxies(2), extractor="inception-2015-12-05")


@pytest.fixture
def served(tmp_path):
    pytest.importorskip("pooch")
    saved(tmp_path / "served" / "file.pth")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield replace(PUBLISHED, url=f"http://127.0.0.1:{server.server_port}/file.pth")
        server.shutdown()


def test_fetched_only_when_asked(tmp_path, served):
    with pytest.raises(InputError, match="are not on this machine"):
        find_weights(served)
    path = find_weights(served, download=True)
    assert path == tmp_path / "cache" / served.names[0]
    assert path.read_bytes() == CONTENT
    assert find_weights(served) == path


def test_a_fetched_file_that_is_another_one_is_refused(tmp_path, served):
    with pytest.raises(InputError, match=r"could not be fetched \(SHA256 hash of downloaded file"):
        find_weights(replace(served, sha256="0" * 64), download=True)
    assert not (tmp_path / "cache" / served.names[0]).exists()


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(InputError, match="could not be fetched"):
        find_weights(PUBLISHED, download=True)
