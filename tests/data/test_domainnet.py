import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.domainnet import DomainNet
from holdfast.errors import InputError

CLASSES = ("aircraft_carrier", "t-shirt", "The Great Wall")


@pytest.fixture
def root(tmp_path):
    """A tiny folder in DomainNet's layout; pixel values tell domain, class and number of an image."""
    for d, domain in enumerate(("real", "clipart")):
        lines = {"train": [], "test": []}
        for label, name in enumerate(CLASSES):
            folder = tmp_path / domain / name
            folder.mkdir(parents=True)
            for i in range(8):
                Image.new("RGB", (30, 20), (d * 100, label * 60, i * 20)).save(folder / f"{domain} {i}.png")
                lines["test" if i >= 6 else "train"].append(f"{domain}/{name}/{domain} {i}.png {label}")
        for part, text in lines.items():
            (tmp_path / f"{domain}_{part}.txt").write_text("\n".join(text) + "\n")
    return tmp_path


def rng(seed=0):
    return np.random.default_rng(seed)


def facts(x):
    """(domain, class, number) of each image, from its colour."""
    return (x[:, :, 0, 0] * 255 / torch.tensor([100.0, 60.0, 20.0])).round().long().tolist()


def test_the_official_lists_decide_the_parts(root):
    problem = DomainNet(root, size=8, validation=0.25)
    split = problem.load(rng())
    assert problem.available()
    assert split.classes == CLASSES
    assert sorted(facts(split.source_x)) == [[0, c, i] for c in range(3) for i in range(6)]
    assert facts(split.test_x) == [[1, c, i] for c in range(3) for i in (6, 7)]
    pool = sorted(facts(split.unlabelled_x) + facts(split.validation_x))
    assert pool == [[1, c, i] for c in range(3) for i in range(6)]
    assert len(split.validation_x) == 5
    for x, y in ((split.source_x, split.source_y), (split.unlabelled_x, split.audit_y), (split.test_x, split.test_y)):
        assert [c for _, c, _ in facts(x)] == y.tolist()
        assert x.shape[1:] == (3, 8, 8)


def test_replicates_share_test_and_validation_and_differ_in_order_only(root):
    problem = DomainNet(root, size=8)
    one, two = problem.load(rng(1)), problem.load(rng(2))
    assert torch.equal(one.test_x, two.test_x)
    assert torch.equal(one.validation_x, two.validation_x)
    assert sorted(facts(one.unlabelled_x)) == sorted(facts(two.unlabelled_x))
    assert facts(one.unlabelled_x) != facts(two.unlabelled_x)
    assert problem.fixed_test
    assert problem.resplit is None


def test_lazy_parts_are_the_same_images(root):
    problem = DomainNet(root, size=8)
    split, files = problem.load(rng(3)), problem.files(rng(3))
    assert torch.equal(files.source.read(), split.source_x)
    assert torch.equal(files.unlabelled.read(), split.unlabelled_x)
    assert torch.equal(files.validation.read(), split.validation_x)
    assert torch.equal(files.test.read(), split.test_x)
    assert torch.equal(files.unlabelled.labels, split.audit_y)
    assert files.classes == split.classes


def test_progress_goes_on_from_set_to_set(root):
    calls = []
    DomainNet(root, size=4).pool(lambda done, total: calls.append((done, total)))
    assert calls == [(i + 1, 18 + 18 + 6) for i in range(42)]


def test_missing_data_are_not_an_error_until_asked_for(root, monkeypatch):
    missing = DomainNet(root / "nowhere")
    assert not missing.available()
    assert "ai.bu.edu/M3SDA" in missing.how_to_get
    assert "fair use" in missing.how_to_get
    assert "real -> clipart" in missing.describe()
    with pytest.raises(InputError, match=r"real_train\.txt"):
        missing.load(rng())
    monkeypatch.setenv("HOLDFAST_DATA", str(root.parent))
    assert DomainNet(root.name).available()
    assert DomainNet(root.name).folder == root


def test_settings_are_checked(root):
    for wrong in ({"source_domain": "photo"}, {"target_domain": "real"}, {"size": 0}, {"validation": 1.0}):
        with pytest.raises(InputError):
            DomainNet(root, **wrong)


def test_a_line_naming_no_image_is_found(root):
    with (root / "clipart_train.txt").open("a") as file:
        file.write("clipart/t-shirt/lost.png 1\n")
    with pytest.raises(InputError, match=r"clipart_train.txt, line 19.*lost.png"):
        DomainNet(root).files(rng())


def test_training_decodes_on_demand_and_keeps_domains_and_labels_apart(root):
    problem = DomainNet(root, size=8, validation=0.25)
    data = problem.training(rng(), batch=3, ratio=2, seed=3, target_labels=1)
    seen = {"source": set(), "target": set()}
    for _ in range(6):
        batch = next(data.stream)
        assert set(batch) == {"sx", "sy", "tx", "lx", "ly"}
        assert (len(batch["sx"]), len(batch["tx"]), len(batch["lx"])) == (3, 6, 3)
        assert [c for _, c, _ in facts(batch["sx"])] == batch["sy"].tolist()
        assert [c for _, c, _ in facts(batch["lx"])] == batch["ly"].tolist()
        seen["source"] |= {tuple(f) for f in facts(batch["sx"])}
        seen["target"] |= {tuple(f) for f in facts(batch["tx"])}
    split = problem.load(rng())
    assert seen["source"] <= {tuple(f) for f in facts(split.source_x)}
    assert seen["target"] <= {tuple(f) for f in facts(split.unlabelled_x)}
    assert torch.equal(data.test_x, split.test_x)
    assert torch.equal(data.validation_y, split.validation_y)
    assert facts(data.adapt_x) == facts(split.unlabelled_x)
    again = problem.training(rng(), batch=3, ratio=2, seed=3)
    one, two = next(problem.training(rng(), batch=3, ratio=2, seed=3).stream), next(again.stream)
    assert set(one) == {"sx", "sy", "tx"}
    assert all(torch.equal(one[key], two[key]) for key in one)
