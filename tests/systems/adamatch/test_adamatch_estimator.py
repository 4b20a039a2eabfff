"""AdaMatch on arrays: the generic contract, the three settings, labels, errors, saving, resuming."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.data.augment import Compose, Identity, Mirror, Shift
from holdfast.data.ctaugment import CTAugmentSettings, HalfCutout
from holdfast.errors import InputError
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.systems.adamatch.estimator import AdaMatchClassifier
from holdfast.systems.adamatch.method import AdaMatchSettings, NoInterpolation
from holdfast.training.history import Diverged

TINY = {"steps": 3, "batch": 4, "uratio": 2, "device": "cpu"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    ys = np.arange(20) % 2
    return {
        "Xs": ((rng.random((20, 8, 8)) + ys[:, None, None]) / 2).astype("float32"),
        "ys": ys,
        "Xt": rng.random((16, 8, 8)),
    }


def test_adapts_where_the_source_alone_fails():
    """Left or right half bright; the target has other levels and less contrast."""
    rng = np.random.default_rng(1)

    def domain(n, low, high):
        y = rng.integers(0, 2, n)
        x = np.full((n, 8, 8), low) + rng.normal(0, 0.05, (n, 8, 8))
        x[np.arange(n)[:, None], :, (4 * y[:, None] + np.arange(4))] += high - low
        return x.clip(0, 1), y

    (Xs, ys), (Xt, yt) = domain(200, 0.1, 0.9), domain(200, 0.3, 0.6)
    model = AdaMatchClassifier(steps=60, batch=16, weak=Identity(), strong=Identity(), device="cpu")
    assert model.clone().fit(Xs, ys, Xs).score(Xt, yt) < 0.8  # the source as its own target: no adaptation
    model.fit(Xs, ys, Xt)
    assert model.score(Xt, yt) > 0.95
    assert model.score(Xs, ys) > 0.95
    assert set(model.history_) == {"loss", "source", "target", "mask_rate", "threshold"}
    steps, losses = model.history_["source"]
    assert steps[-1] == 60
    assert losses[-1] < losses[0]


def test_labels_keep_their_names_and_order(data):
    names = np.array(["zebra", "ant"])[data["ys"]]
    model = AdaMatchClassifier(**TINY).fit(data["Xs"], names, data["Xt"])
    assert model.classes_.tolist() == ["ant", "zebra"]
    numbers = AdaMatchClassifier(**TINY).fit(data["Xs"], 1 - data["ys"], data["Xt"])  # 1 - y: the order of the names
    assert np.array_equal(model.predict_proba(data["Xt"]), numbers.predict_proba(data["Xt"]))
    odd = AdaMatchClassifier(**TINY).fit(data["Xs"], data["ys"] * 7 - 3, data["Xt"])
    assert odd.classes_.tolist() == [-3, 4]
    more = AdaMatchClassifier(num_classes=5, **TINY).fit(data["Xs"], data["ys"], data["Xt"])
    assert more.predict_proba(data["Xt"]).shape == (16, 5)


def test_bytes_and_numbers_are_the_same_images(data):
    as_bytes = (data["Xs"] * 255).round().astype("uint8")
    target = (data["Xt"] * 255).round().astype("uint8")
    one = AdaMatchClassifier(**TINY).fit(as_bytes, data["ys"], target[:, None])
    two = AdaMatchClassifier(**TINY).fit(as_bytes[:, None] / 255, data["ys"], torch.from_numpy(target / 255))
    assert np.array_equal(one.predict_proba(target), two.predict_proba(target.astype("float32") / 255))


def test_a_few_labelled_target_images_change_the_result(data):
    few = {"Xt_labeled": data["Xt"][:3], "yt_labeled": [0, 1, 1]}
    model = AdaMatchClassifier(**TINY).fit(**data, **few)
    assert "labelled_target" in model.history_
    plain = AdaMatchClassifier(**TINY).fit(**data)
    assert not np.array_equal(model.predict_proba(data["Xt"]), plain.predict_proba(data["Xt"]))


def test_semi_supervised_use_with_fewer_labels_than_a_batch(data):
    model = AdaMatchClassifier(**{**TINY, "batch": 6}).fit(data["Xs"][:4], data["ys"][:4], data["Xs"])
    assert model.predict(data["Xs"]).shape == (20,)


@pytest.mark.parametrize(
    ("change", "argument", "words"),
    [
        ({"Xt": np.zeros((16, 3, 8, 8))}, "Xt", r"\(N, C=1, H=8, W=8\)"),
        ({"Xt": np.zeros((16, 9, 8))}, "Xt", "H=8"),
        ({"Xt": np.zeros((7, 8, 8))}, "Xt", r"at least uratio \* batch = 8 images"),
        ({"Xs": np.zeros((20, 8, 8)) + 2}, "Xs", r"in \[0, 1\]"),
        ({"Xs": np.zeros((20, 8, 8), dtype=int)}, "Xs", "floating-point"),
        ({"Xs": np.zeros((20, 8, 8, 3))}, "Xs", "channels first"),
        ({"ys": np.zeros(20)}, "ys", "whole numbers or strings"),
        ({"ys": [0, 1]}, "ys", r"as many rows as Xs \(20\)"),
        ({"yt_labeled": [0]}, "Xt_labeled", "together"),
        ({"Xt_labeled": np.zeros((1, 8, 8))}, "yt_labeled", "together"),
        ({"Xt_labeled": np.zeros((1, 8, 8)), "yt_labeled": [7]}, "yt_labeled", "among the known labels"),
        ({"Xt_labeled": np.zeros((2, 8, 8)), "yt_labeled": [1]}, "yt_labeled", "as many rows"),
        ({"Xt_labeled": np.zeros((1, 3, 8, 8)), "yt_labeled": [1]}, "Xt_labeled", "C=1"),
    ],
)
def test_wrong_data_are_named(data, change, argument, words):
    with pytest.raises(InputError, match=words) as e:
        AdaMatchClassifier(**TINY).fit(**{**data, **change})
    assert e.value.argument == argument


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"backbone": "resnet"}, "backbone"),
        ({"backbone": nn.Linear(3, 2)}, "backbone"),
        ({"backbone": SmallConvNet(1, 5)}, "backbone"),
        ({"num_classes": 1}, "num_classes"),
        ({"steps": 0}, "steps"),
        ({"batch": 2.5}, "batch"),
        ({"uratio": 0}, "uratio"),
        ({"seed": -1}, "seed"),
        ({"weak": "shift"}, "weak"),
        ({"settings": 3}, "settings"),
        ({"ema": 1.0}, "ema"),
        ({"precision": "8"}, "precision"),
        ({"device": "nonsense"}, "device"),
        ({"target_prior": [1.0, 2.0, 3.0]}, "target_prior"),
        ({"target_prior": [1.0, 0.0]}, "target_prior"),
        ({"target_prior": {0: 1.0}}, "target_prior"),
    ],
)
def test_wrong_settings_are_named_in_fit(data, settings, argument):
    model = AdaMatchClassifier(**{**TINY, **settings})
    with pytest.raises(InputError) as e:
        model.fit(**data)
    assert e.value.argument == argument


def test_num_classes_and_labels_must_agree(data):
    with pytest.raises(InputError, match="ys: must be among"):
        AdaMatchClassifier(num_classes=2, **TINY).fit(data["Xs"], data["ys"] + 1, data["Xt"])
    with pytest.raises(InputError, match="num_classes: must be the number of different names"):
        AdaMatchClassifier(num_classes=3, **TINY).fit(data["Xs"], np.array(["a", "b"])[data["ys"]], data["Xt"])


def test_a_known_prior_is_used_and_saved(data, tmp_path):
    names = np.array(["b", "a"])[data["ys"]]
    model = AdaMatchClassifier(target_prior={"b": 3.0, "a": 1.0}, **TINY).fit(data["Xs"], names, data["Xt"])
    assert model.aligner_.p_src.tolist() == [0.25, 0.75]
    same = AdaMatchClassifier(target_prior=[0.25, 0.75], **TINY).fit(data["Xs"], names, data["Xt"])
    assert np.array_equal(model.predict_proba(data["Xt"]), same.predict_proba(data["Xt"]))
    loaded = AdaMatchClassifier.load(model.save(tmp_path / "m"))
    assert torch.equal(loaded.aligner_.recent, model.aligner_.recent)
    assert loaded.target_prior == {"b": 3.0, "a": 1.0}


def test_settings_and_transforms_are_saved(data, tmp_path):
    settings = AdaMatchSettings(interpolate=NoInterpolation(), align=None, lr=0.01)
    model = AdaMatchClassifier(settings=settings, weak=Compose((Shift(2), Mirror())), **TINY).fit(**data)
    assert model.aligner_ is None
    loaded = AdaMatchClassifier.load(model.save(tmp_path / "m"))
    assert loaded.settings == settings
    assert loaded.weak == Compose((Shift(2), Mirror()))
    assert np.array_equal(loaded.predict_proba(data["Xt"]), model.predict_proba(data["Xt"]))


def test_folders_of_earlier_versions_are_read(data, tmp_path, monkeypatch):
    """CTAugment had another address when they were written."""
    model = AdaMatchClassifier(**TINY, strong=CTAugmentSettings(depth=1)).fit(**data)
    with monkeypatch.context() as patch:
        for kind in (CTAugmentSettings, HalfCutout):
            patch.setattr(kind, "__module__", "holdfast.systems.adamatch.ctaugment")
        folder = model.save(tmp_path / "m")
    assert "adamatch.ctaugment:HalfCutout" in (folder / "config.json").read_text()
    assert AdaMatchClassifier.load(folder).strong == CTAugmentSettings(depth=1)


def test_own_backbones_are_copied_and_given_again(data, tmp_path):
    own = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    before = {k: v.clone() for k, v in own.state_dict().items()}
    model = AdaMatchClassifier(own, **TINY).fit(**data)
    assert all(torch.equal(before[k], v) for k, v in own.state_dict().items())
    folder = model.save(tmp_path / "m")
    with pytest.raises(InputError, match="backbone"):
        AdaMatchClassifier.load(folder)
    loaded = AdaMatchClassifier.load(folder, backbone=own)
    assert np.array_equal(loaded.predict_proba(data["Xt"]), model.predict_proba(data["Xt"]))
    with pytest.raises(InputError, match="network_"):
        AdaMatchClassifier.load(folder, backbone=SmallConvNet(1, 2))


def test_a_backbone_without_batch_norm_warns(data):
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with pytest.warns(UserWarning, match="batch norm"):
        AdaMatchClassifier(plain, **TINY).fit(**data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        AdaMatchClassifier(**TINY).fit(**data)


def test_mixed_precision_gives_a_model_in_single(data, tmp_path):
    model = AdaMatchClassifier(precision="bf16-mixed", **TINY).fit(**data)
    assert model.predict_proba(data["Xt"]).dtype == np.float32
    assert {p.dtype for p in model.network_.parameters()} == {torch.float32}
    loaded = AdaMatchClassifier.load(model.save(tmp_path / "m"))
    assert np.array_equal(loaded.predict_proba(data["Xt"]), model.predict_proba(data["Xt"]))


def test_arrays_in_unusual_memory(data):
    model = AdaMatchClassifier(**TINY).fit(**data)
    plain = np.ascontiguousarray(data["Xt"], dtype="float32")
    frozen = plain.copy()
    frozen.flags.writeable = False
    backwards = plain[:, :, ::-1].copy()[:, :, ::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for same in (frozen, backwards, plain.astype(">f4"), np.asfortranarray(plain), plain.tolist()):
            assert np.array_equal(model.predict_proba(same), model.predict_proba(plain))


def test_named_wide_networks(data, tmp_path):
    colour = {"Xs": data["Xs"][:, None].repeat(3, 1), "ys": data["ys"], "Xt": data["Xt"][:, None].repeat(3, 1)}
    model = AdaMatchClassifier("wrn28-2", **{**TINY, "steps": 1}).fit(**colour)
    loaded = AdaMatchClassifier.load(model.save(tmp_path / "m"))
    assert np.array_equal(loaded.predict_proba(colour["Xt"][:2]), model.predict_proba(colour["Xt"][:2]))


def test_a_diverging_loss_names_its_step(data):
    settings = AdaMatchSettings(lr=1e30)
    model = AdaMatchClassifier(settings=settings, **{**TINY, "steps": 50})
    with pytest.raises(Diverged) as e:
        model.fit(**data)
    assert 1 < e.value.step <= 50
    assert not model._learned()


class _Stopped(Exception):
    pass


def test_an_interrupted_fit_continues_with_the_same_numbers(data, tmp_path):
    def stop(done, total):
        if done == 7:
            raise _Stopped

    settings = {**TINY, "steps": 10}
    with pytest.raises(_Stopped):
        AdaMatchClassifier(**settings).fit(**data, checkpoint=tmp_path, progress=stop)
    seen: list[int] = []
    resumed = AdaMatchClassifier(**settings).fit(
        **data, checkpoint=tmp_path, progress=lambda done, total: seen.append(done)
    )
    assert seen[0] > 1
    assert seen[-1] == 10
    whole = AdaMatchClassifier(**settings).fit(**data)
    assert np.array_equal(resumed.predict_proba(data["Xt"]), whole.predict_proba(data["Xt"]))
    assert resumed.history_ == whole.history_


def test_scoring_needs_known_labels(data):
    model = AdaMatchClassifier(**TINY).fit(**data)
    share = float((model.predict(data["Xs"]) == data["ys"]).mean())
    assert model.score(data["Xs"], data["ys"]) == share
    with pytest.raises(InputError, match="y: must be among"):
        model.score(data["Xs"], data["ys"] + 5)
    with pytest.raises(InputError, match=r"X: must have shape \(N, C=1, H=8, W=8\)"):
        model.predict(np.zeros((2, 9, 9)))


def test_predictions_use_the_statistics_of_the_target(data):
    both = AdaMatchClassifier(target_statistics=False, **TINY).fit(**data).network_
    own = AdaMatchClassifier(**TINY).fit(**data).network_
    for name, weights in both.named_parameters():
        assert torch.equal(weights, own.get_parameter(name))
    x = torch.as_tensor(data["Xt"], dtype=torch.float32)[:, None]
    means = own.conv1(x).mean((0, 2, 3))
    torch.testing.assert_close(own.norm1.running_mean, means, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(both.norm1.running_mean, means, atol=1e-3)


def test_a_small_network_is_trained_by_one_thread(data):
    torch.set_num_threads(2)
    seen = set()
    try:
        AdaMatchClassifier(**TINY).fit(**data, progress=lambda done, total: seen.add(torch.get_num_threads()))
        assert (seen, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("backbone", "batch", "rate"), [("small", 8, 0.05), ("small", 32, 0.2), ("small", 64, 0.2), ("wrn28-2", 8, 0.03)]
)
def test_the_rate_suits_a_small_network_and_a_small_batch(backbone, batch, rate):
    """At 0.2, 200 steps of 8 images lost what 20 of them had learned."""
    settings = AdaMatchClassifier(backbone, batch=batch)._settings((3, 16, 16), np.arange(2))
    assert settings.lr == pytest.approx(rate)
    assert isinstance(settings.strong, CTAugmentSettings) == (backbone != "small")
