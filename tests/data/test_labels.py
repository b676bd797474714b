import numpy as np
import pytest

from galsmith.data.readers.labels import join_labels, read_labels, typed_column
from galsmith.errors import InputError


def written(tmp_path, text):
    path = tmp_path / "labels.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "id,T,kind\na,1,Sb\nb,2,E\n",
        "id;T;kind\na;1;Sb\nb;2;E\n",
        "id\tT\tkind\na\t1\tSb\nb\t2\tE\n",
        "id T   kind\na  1 Sb\nb  2  E\n",
        "# made by hand\nid,T,kind\n\na,1,Sb\n# between\nb,2,E\n",
        "# about the table\n#\n# id T kind\na 1 Sb\nb 2 E\n",
        "\ufeffid,T,kind\na,1,Sb\nb,2,E\n",
        'id,T,kind\n"a",1,"Sb"\nb,2,E\n',
    ],
)
def test_tables_of_many_forms_are_one(tmp_path, text):
    table = read_labels(written(tmp_path, text))
    assert table.names == ("id", "T", "kind")
    assert table.rows == (("a", "1", "Sb"), ("b", "2", "E"))


def test_quoted_separators_stay_in_their_value(tmp_path):
    table = read_labels(written(tmp_path, 'id,comment\na,"one, two"\n'))
    assert table.rows == (("a", "one, two"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("# only words\n", "holds no rows"),
        ("id,T\n", "holds column names and no rows"),
        ("id,T\na,1\nb\n", "line 3 has 1 columns, wanted 2"),
        ("id,T,T\na,1,2\n", "two columns are named 'T'"),
    ],
)
def test_broken_tables_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_labels(written(tmp_path, text))


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(InputError, match="there is no such file of labels"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="cannot be read as a text table"):
        read_labels(tmp_path / "labels.txt")


def test_the_identifier_is_found_by_its_values(tmp_path):
    table = read_labels(written(tmp_path, "objid,kind,asset_id\n587,x,100303\n588,y,100484\n"))
    labels, notes = join_labels(table, ["100484", "100303", "7"])
    assert notes == {"identifier": "asset_id", "files_without_row": 1, "rows_without_file": 0}
    assert list(labels["kind"]) == ["y", "x", ""]


def test_identifiers_may_have_suffixes(tmp_path):
    table = read_labels(written(tmp_path, "file,T\na.png,1\nb.fits.gz,2\n"))
    labels, _ = join_labels(table, ["b", "a"])
    assert list(labels["T"]) == [2, 1]


def test_leading_zeros_count(tmp_path):
    table = read_labels(written(tmp_path, "id,T\n007,1\n7,2\n"))
    assert list(join_labels(table, ["7", "007"])[0]["T"]) == [2, 1]


def test_no_identifier_is_an_error(tmp_path):
    table = read_labels(written(tmp_path, "id,T\nx,1\n"))
    with pytest.raises(
        InputError, match="no column holds file names without suffix, such as 'a'; its columns are id, T"
    ):
        join_labels(table, ["a"])


def test_two_rows_of_one_file_are_an_error(tmp_path):
    table = read_labels(written(tmp_path, "id,T\na,1\nb,2\na,3\n"))
    with pytest.raises(InputError, match="rows 1 and 3 both have 'a' in column 'id'"):
        join_labels(table, ["a", "b"])


@pytest.mark.parametrize(
    ("values", "wanted", "kind"),
    [
        (["1", "2"], [1, 2], "i"),
        (["1", "2.5"], [1.0, 2.5], "f"),
        (["1", ""], [1.0, np.nan], "f"),
        (["nan", "NA"], [np.nan, np.nan], "f"),
        (["1", "x"], ["1", "x"], "U"),
        (["587739505552785605", "1"], [587739505552785605, 1], "i"),
        (["587739505552785605", ""], ["587739505552785605", ""], "U"),
        ([True, False], [True, False], "b"),
        ([True, None], [1.0, np.nan], "f"),
        (["1_000", "2"], ["1_000", "2"], "U"),
        ([3.5, 4], [3.5, 4.0], "f"),
        (["1e400", "2"], [np.inf, 2.0], "f"),
    ],
)
def test_columns_take_the_type_of_their_values(values, wanted, kind):
    column = typed_column(values)
    assert column.dtype.kind == kind
    np.testing.assert_array_equal(column, np.array(wanted))
