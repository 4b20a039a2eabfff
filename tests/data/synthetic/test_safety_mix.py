"""SafetyMix against the rows that the reference's generator gives."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from holdfast.data.synthetic.safety_mix import TROLLS, Pool, hash_flips, safety_mix
from holdfast.errors import InputError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "trolls.json").read_text(encoding="utf-8"))


def names(difficulty):
    return [f"{difficulty} good {i}" for i in range(900)], [f"{difficulty} bad {i}" for i in range(800)]


POOL = Pool(names("standard"), names("adversarial"))


@pytest.mark.parametrize("noise", [0.2, 0.5, 0.8, 1.0])
def test_flips_are_the_reference_s(noise):
    texts = VECTORS["texts"]
    assert hash_flips(texts, noise).tolist() == VECTORS[f"flipped_N{noise}"]
    assert [hashlib.md5(text.encode()).digest()[0] for text in texts] == VECTORS["md5_byte0"]


@pytest.mark.parametrize("troll", TROLLS)
def test_rows_are_the_reference_s(troll):
    mix, known = safety_mix(POOL, troll), VECTORS[troll]
    rows = [
        [item, ("__ok__", "__notok__")[label], int(user)]
        for item, label, user in zip(mix.items, mix.label, mix.user_id, strict=True)
    ]
    assert len(mix) == known["n"]
    assert len(set(mix.user_id.tolist())) == known["users"]
    assert mix.gold.sum() == known["unsafe_gold"]
    assert rows[:5] == known["first5"]
    assert rows[-3:] == known["last3"]
    helpers = mix.user_type == "helper"
    assert mix.mislabelled[helpers].sum() == known["wrong_helper"] == 0
    # In the reference, repeats that one user draws are one object and turned twice: 81. By the rule it is 83.
    assert mix.mislabelled.sum() == (83 if troll == "master_troll" else known["wrong"])
    assert set(mix.user_type[~helpers].tolist()) == {troll}
    assert helpers.sum() == 100


def test_what_trolls_say():
    label = {troll: safety_mix(POOL, troll) for troll in TROLLS}
    by_trolls = {troll: mix.label[mix.user_type == troll] for troll, mix in label.items()}
    assert not by_trolls["safe_troll"].any()
    assert by_trolls["unsafe_troll"].all()
    assert not by_trolls["gaslight_troll"].any()
    gaslight = label["gaslight_troll"]
    assert gaslight.gold[gaslight.user_type == "gaslight_troll"].all()
    assert set(gaslight.source[gaslight.user_type == "gaslight_troll"].tolist()) == {"adversarial"}
    honest = safety_mix(POOL, "lazy_troll", lazy_rate=0.0)
    assert not honest.mislabelled.any()
    some = safety_mix(POOL, "lazy_troll", lazy_rate=0.5)
    turned = hash_flips(some.items, 0.5)
    assert some.mislabelled.any()
    assert not some.mislabelled[~turned].any()


def test_odd_numbers_ratios_noise_and_salt():
    assert len(safety_mix(POOL, n=7)) == 7
    assert (safety_mix(POOL, n=30, ratio=0.0).user_type == "helper").all()
    assert (safety_mix(POOL, n=30, ratio=1.0, noise=1.0).mislabelled).all()
    erring = safety_mix(POOL, n=2000, ratio=0.0, helper_noise=0.1)
    assert 0.05 < erring.mislabelled.mean() < 0.15
    plain, salted = safety_mix(POOL), safety_mix(POOL, salt="x")
    assert plain.items == salted.items
    assert (plain.label != salted.label).any()
    assert set(np.bincount(safety_mix(POOL, n=20, utterances_per_user=(1, 0)).user_id).tolist()) == {1}


@pytest.mark.parametrize(
    ("named", "change"),
    [("troll", {"troll": "ogre"}), ("noise", {"noise": 1.5}), ("n", {"n": 0}), ("ratio", {"ratio": -1})],
)
def test_wrong_settings_are_named(named, change):
    with pytest.raises(InputError, match=f"^{named}"):
        safety_mix(POOL, **change)


def test_a_pool_without_adversarial_inputs_serves_plain_trolls_alone():
    with pytest.raises(InputError, match="adversarial"):
        safety_mix(Pool(names("standard")), "master_troll")
