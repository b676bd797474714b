"""Published results are found from the documentation's first page, and hold no large files."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "docs" / "results"
LARGEST_BYTES = 300_000


def test_every_result_is_linked_by_way_of_their_list():
    pages = [path.relative_to(RESULTS).as_posix() for path in RESULTS.glob("*/README.md")]
    listed = (RESULTS / "README.md").read_text(encoding="utf-8") if pages else ""
    assert [page for page in pages if f"({page})" not in listed] == []
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    assert not pages or "(results/README.md)" in index


def test_results_are_small():
    assert [
        path.name for path in RESULTS.rglob("*") if path.is_file() and path.stat().st_size > LARGEST_BYTES
    ] == []
