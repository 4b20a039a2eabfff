from pathlib import Path

from holdfast.data.location import data_folder


def test_relative_paths_follow_the_variable(monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", "/somewhere/data")
    assert data_folder("domainnet") == Path("/somewhere/data/domainnet")
    assert data_folder("/own/place") == Path("/own/place")
    monkeypatch.delenv("HOLDFAST_DATA")
    assert data_folder("domainnet") == Path("domainnet")
    monkeypatch.setenv("HOME", "/home/me")
    assert data_folder("~/domainnet") == Path("/home/me/domainnet")
