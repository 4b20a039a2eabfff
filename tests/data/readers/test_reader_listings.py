import pytest

from holdfast.data.readers.listings import class_names, list_folder, read_list
from holdfast.errors import InputError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def names(listing):
    return [p.relative_to(listing.root).as_posix() for p in listing.paths]


def test_class_folders_sorted_nested_hidden_and_other_files(tmp_path):
    touch(tmp_path, "b/2.PNG", "b/1.jpg", "b/deep/er/3.webp", "a/9.bmp", "a/notes.txt", "a/.hidden.png", "readme.md")
    touch(tmp_path, ".cache/1.png", "b/.git/1.png", "__MACOSX/1.png", ".DS_Store")
    found = list_folder(tmp_path)
    assert found.classes == ("a", "b")
    assert names(found) == ["a/9.bmp", "b/1.jpg", "b/2.PNG", "b/deep/er/3.webp"]
    assert found.labels == (0, 1, 1, 1)
    assert found.ignored == 2
    assert len(found) == 4


def test_a_flat_folder_has_no_labels(tmp_path):
    touch(tmp_path, "2.png", "1.jpeg", "list.csv", ".x.png")
    found = list_folder(tmp_path)
    assert names(found) == ["1.jpeg", "2.png"]
    assert found.labels is None
    assert found.classes == ()
    assert found.ignored == 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "must hold images"),
        (["notes.txt"], "1 other files"),
        (["a/1.png", "b/notes.txt"], "every class folder"),
        (["a/1.png", "2.png"], "not both"),
    ],
)
def test_unusable_folders(tmp_path, files, words):
    touch(tmp_path, *files)
    with pytest.raises(InputError, match=words) as caught:
        list_folder(tmp_path, "source")
    assert caught.value.argument == "source"
    assert str(tmp_path) in str(caught.value)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="not found"):
        list_folder(tmp_path / "nowhere")
    touch(tmp_path, "file.png")
    with pytest.raises(InputError, match="a file"):
        list_folder(tmp_path / "file.png")


def test_the_fingerprint_follows_the_files(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png")
    first = list_folder(tmp_path).fingerprint()
    assert first == list_folder(tmp_path).fingerprint()
    (tmp_path / "a/1.png").write_bytes(b"longer")
    second = list_folder(tmp_path).fingerprint()
    touch(tmp_path, "b/2.png")
    assert len({first, second, list_folder(tmp_path).fingerprint()}) == 3


def test_lists_as_domainnet_publishes_them(tmp_path):
    touch(tmp_path, "real/cat/1.jpg", "real/The Wall/my photo 2.jpg", "real/cat/3.jpg")
    (tmp_path / "train.txt").write_text("real/cat/1.jpg 0\n\nreal/The Wall/my photo 2.jpg 2\r\n")
    (tmp_path / "test.txt").write_text("real/cat/3.jpg 0")
    found = read_list(tmp_path, ["train.txt", "test.txt"])
    assert names(found) == ["real/cat/1.jpg", "real/The Wall/my photo 2.jpg", "real/cat/3.jpg"]
    assert found.labels == (0, 2, 0)
    assert found.classes == ("cat", "1", "The Wall")
    assert read_list(tmp_path, tmp_path / "test.txt").labels == (0,)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a/1.png", '"path label"'),
        ("a/1.png cat", "'cat'"),
        ("a/1.png -1", "whole number"),
        ("a/1.png 1.0", "whole number"),
        ("a/2.png 0", "a/2.png"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path, line, words):
    touch(tmp_path, "a/1.png")
    (tmp_path / "train.txt").write_text(f"a/1.png 0\n\n{line}\n")
    with pytest.raises(InputError, match=words) as caught:
        read_list(tmp_path, "train.txt")
    assert caught.value.argument.endswith("train.txt, line 3")


def test_missing_empty_and_binary_lists(tmp_path):
    with pytest.raises(InputError, match="readable text"):
        read_list(tmp_path, "nowhere.txt")
    (tmp_path / "empty.txt").write_text("\n  \n")
    with pytest.raises(InputError, match="empty"):
        read_list(tmp_path, "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="readable text"):
        read_list(tmp_path, "binary.txt")


def test_names_need_one_folder_per_label(tmp_path):
    cat, dog = tmp_path / "cat" / "1.png", tmp_path / "dog" / "1.png"
    assert class_names([(cat, 0), (dog, 1)]) == ("cat", "dog")
    assert class_names([(cat, 0), (dog, 0)]) == ("0",)
    assert class_names([(cat, 0), (cat, 1)]) == ("0", "1")
