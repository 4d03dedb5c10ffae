"""One table with names: how it is written is found out, and what it lacks is named by line and column."""

import builtins
import re

import numpy as np
import pytest

from linreg_mirror.problems import from_table

PLAIN = "a,b,y\n1,2,3\n4,-5.5,6e1\n"


@pytest.fixture
def read(tmp_path):
    def read(text, target="y", **options):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return from_table(path, target, **options)

    return read


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        "\ufeff" + PLAIN.replace("\n", "\r\n\r\n"),
        '"a" , b,"y"\n"1",2,3\n 4 ,-5.5,6e1',
        "a;b;y\n1,0;2;3\n4;-5,5;6e1\n",
    ],
    ids=[
        "commas",
        "semicolons",
        "tabs",
        "byte order mark, Windows, empty lines",
        "quotes and spaces",
        "decimal commas",
    ],
)
def test_a_table_however_it_is_written(read, text):
    table = read(text)
    assert table.features == ("a", "b")
    assert table.target == "y"
    np.testing.assert_array_equal(table.X, [[1, 2], [4, -5.5]])
    np.testing.assert_array_equal(table.y, [3, 60])
    assert bool(table.notes) == ("1,0" in text)


def test_the_target_may_be_any_column_and_others_are_dropped(read):
    table = read(PLAIN, "a", drop=["y"])
    assert table.features == ("b",)
    np.testing.assert_array_equal(table.y, [1, 4])


def test_a_name_may_hold_a_comma_in_quotes(read):
    assert read('"age, in years",y\n1,2\n2,5\n').features == ("age, in years",)


def test_words_become_columns_of_zeros_and_ones(read):
    table = read("colour,a,y\nred,1,1\nblue,2,2\nred,3,4\n", one_hot=True)
    assert table.features == ("colour=blue", "colour=red", "a")
    np.testing.assert_array_equal(table.X, [[0, 1, 1], [1, 0, 2], [0, 1, 3]])
    assert table.notes == (
        "column 'colour' became 2 columns of 0 and 1, one for each word",
        "column 'a' counts the rows: if it is an index, drop it",
    )


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_counts_rows_is_left_out_if_it_has_no_name_and_noticed_if_it_has(read, first):
    rows = [f"{first + i},{value}" for i, value in enumerate(["5,1", "7,2", "6,4"])]
    table = read("\n".join([",a,y", *rows]))
    assert table.features == ("a",)
    assert table.notes == ("the first column has no name and counts the rows: it is left out",)
    table = read("\n".join(["id,a,y", *rows]))
    assert table.features == ("id", "a")
    assert table.notes == ("column 'id' counts the rows: if it is an index, drop it",)
    assert read("\n".join(["id,a,y", *rows[::-1]])).notes == ()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (PLAIN, {"target": "Y"}, r"has no column 'Y': did you mean 'y'\? Its columns are a, b, y"),
        (PLAIN, {"target": "weight"}, r"has no column 'weight'\. Its columns are a, b, y"),
        (PLAIN, {"drop": ["c"]}, r"has no column 'c'"),
        (PLAIN, {"drop": ["y"]}, r"column 'y' is the target, and cannot be dropped"),
        (PLAIN, {"drop": ["a", "b"]}, r"no column left for X beside the target 'y'"),
        ("a,b,y\n1,,3\n4,NA,nan\n", {}, r"3 missing values, in 2 of 2 rows: line 2, column 'b'; line 3, column 'b'; l"),
        ("a,y\n1,2\n\n,2\n", {}, r"1 missing value, in 1 of 2 rows: line 4, column 'a'\. Fill"),
        ("a,b,y\n1,red,3\n4,blue,6\n", {}, r"columns of words, not numbers: 'b' \(blue, red\)\. Ask for one-hot"),
        ("a,b,y\n1,p,3\n4,q,6\n5,r,7\n", {}, r"column 'b' has another word in each row, such as 'p': it looks like an"),
        ("a,b,y\n1,2,3\n4,blue,6\n", {}, r"table\.csv, line 3, column 'b': 'blue' is not a finite number"),
        ("a,b,y\n1,red,low\n4,blue,high\n", {"one_hot": True}, r"the target 'y' is text, such as 'low': name a column"),
        ("a,y\n1,inf\n", {}, r"line 2, column 'y': 'inf' is not a finite number"),
        ("a,y\ninf,1\n", {"one_hot": True}, r"line 2, column 'a': 'inf' is not a finite number"),
        ("a;y\n1.234,5;2\n", {}, r"column 'a': '1\.234,5' is not a finite number: .* without separators of thousands"),
        ("a;y\n1,5;2\n1.5;3\n", {}, r"with a decimal comma, '1,5', and with a point, '1\.5' in line 3"),
        ("1,2,3\n4,5,6\n", {}, r"line 1: names of columns are expected, got numbers: .* x1,x2,y before them"),
        ("a,a,y\n4,5,6\n", {}, r"has 2 columns 'a': give each a name"),
        ("a,b,y\n1,2\n", {}, r"line 2: 2 cells separated by commas, but 3 names in the first line"),
        ("a,b,y\n", {}, r"holds no samples"),
        ("", {}, r"holds no samples"),
    ],
)
def test_tables_that_hold_no_problem_are_refused(read, text, options, message):
    with pytest.raises(ValueError, match=message):
        read(text, **options)


def test_many_words_are_no_categories(read):
    rows = [f"word{i // 2},{i % 7}" for i in range(120)]
    with pytest.raises(ValueError, match="column 'a' has 60 different words"):
        read("\n".join(["a,y", *rows]), one_hot=True)


def test_drop_is_a_sequence_of_names(read):
    with pytest.raises(TypeError, match=r"write drop=\['a'\]"):
        read(PLAIN, drop="a")


def test_what_is_no_text_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(3))
    with pytest.raises(ValueError, match="is not a table of text"):
        from_table(tmp_path / "x.npy", "y")
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        from_table(tmp_path / "no.csv", "y")


def test_parquet_without_pandas_says_what_to_install(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments, **options):
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas pyarrow"):
        from_table(tmp_path / "table.parquet", "y")


def test_parquet(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1, 2, 4], "b": [True, False, True], "c": ["u", "v", "u"], "y": [0.5, 1.5, 2.0]})
    frame.to_parquet(tmp_path / "table.parquet")
    table = from_table(tmp_path / "table.parquet", "y", one_hot=True)
    assert table.features == ("a", "b", "c=u", "c=v")
    np.testing.assert_array_equal(table.X, [[1, 1, 1, 0], [2, 0, 0, 1], [4, 1, 1, 0]])
    frame.loc[1, "y"] = None
    frame.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(ValueError, match="row 1, column 'y'"):
        from_table(tmp_path / "table.parquet", "y", one_hot=True)
