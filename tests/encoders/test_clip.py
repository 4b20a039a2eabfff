"""CLIP towers: what is behind the end changes nothing, embeddings are a door, folders agree with transformers."""

from __future__ import annotations

import pytest
import torch

from holdfast.data.batches import Batches
from holdfast.encoders.clip import ClipLearner, ConvTower, TinyCLIP, VisionTower
from holdfast.encoders.clip_folder import PretrainedCLIP, write_clip
from holdfast.errors import InputError
from holdfast.training import fit

WORDS = ["a", "photo", "of", "red", "blue", "circle", "square", "*"]


def tiny(vision=None):
    torch.manual_seed(0)
    return TinyCLIP(WORDS, vision or VisionTower(width=16, dim=8, depth=2), context=7, width=16, depth=2, dim=8).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "tiny"
    clip = tiny()
    clip.half().float()  # what half precision keeps
    write_clip(clip, path)
    return path


def test_a_row_depends_on_its_own_words_up_to_its_end_alone():
    clip = tiny()
    long, short = "a photo of red circle", "blue square"
    alone, together = clip.texts([short]), clip.texts([long, short])
    assert torch.allclose(together[1], alone[0], atol=1e-6)
    tokens = clip.tokens([long, short])
    assert clip.ends(tokens).tolist() == [6, 3]
    tokens[1, 5] = 4
    assert torch.allclose(clip.from_embeddings(clip.embed(tokens), torch.tensor([6, 3]))[1], alone[0], atol=1e-6)


def test_embeddings_are_a_door_with_gradients_to_what_came_before_the_end():
    clip = tiny()
    tokens = clip.tokens(["a photo of *", "a *"])
    embedded = clip.embed(tokens).detach().requires_grad_()
    clip.from_embeddings(embedded, clip.ends(tokens)).square().sum().backward()
    moved = embedded.grad.abs().sum(2) > 0
    assert moved.tolist() == [[True] * 6, [True] * 4 + [False] * 2]
    word = clip.token("*")
    assert tokens[0, 4] == word


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda clip: clip.tokens(["a green circle"]), "green"),
        (lambda clip: clip.tokens(["a a a a a a"]), "at most 5 words"),
        (lambda clip: clip.token("a red"), "single token"),
        (lambda clip: clip.images(torch.zeros(2, 1, 16, 16)), "pixels"),
        (lambda _: TinyCLIP(["a", "a"], ConvTower()), "words"),
        (lambda _: VisionTower(pixels=15), "patch"),
        (lambda _: ConvTower(pixels=15), "pixels"),
        (lambda _: write_clip(tiny(ConvTower(dim=8)), "nowhere"), "VisionTower"),
    ],
)
def test_what_it_cannot_read_is_refused(call, named):
    with pytest.raises(InputError, match=named):
        call(tiny())


@pytest.mark.parametrize("vision", [ConvTower(width=16, dim=8), VisionTower(width=16, dim=8)])
def test_a_tiny_clip_learns_which_text_says_which_image(vision):
    clip = tiny(vision)
    texts = [f"a {colour} circle" for colour in ("red", "blue")]
    images = torch.zeros(2, 3, 16, 16)
    images[0, 0], images[1, 2] = 1, 1
    pixels = (images.repeat(16, 1, 1, 1) + 0.1 * torch.randn(32, 3, 16, 16)).clamp(0, 1)
    before = {name: p.detach().clone() for name, p in clip.named_parameters()}
    fit(ClipLearner(clip), Batches({"pixels": pixels, "tokens": clip.tokens(texts * 16)}, size=8), steps=60)
    cosines = torch.cosine_similarity(clip.images(images)[:, None], clip.texts(texts)[None], dim=2)
    assert cosines.argmax(1).tolist() == [0, 1]
    assert clip.scale > 0
    unmoved = [name for name, p in clip.named_parameters() if torch.equal(p, before[name])]
    assert unmoved == []


def test_a_written_folder_is_read_by_transformers_and_answers_the_same(folder):
    from transformers import AutoTokenizer, CLIPModel

    ours, read = tiny(), PretrainedCLIP(folder)
    texts, pixels = ["a photo of red circle", "blue square", "a *"], torch.rand(3, 3, 16, 16)
    model, tokenizer = (
        CLIPModel.from_pretrained(folder, dtype=torch.float32).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    rows = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model.get_text_features(**rows)
        theirs = getattr(theirs, "pooler_output", theirs)
        assert torch.allclose(read.texts(texts), theirs, atol=1e-5)
        assert torch.allclose(read.texts(texts), ours.texts(texts), atol=5e-3)
        assert torch.allclose(read.images(pixels), ours.images(pixels), atol=5e-3)
    assert read.tokens(texts).tolist() == ours.tokens(texts).tolist()
    assert read.scale == pytest.approx(ours.scale, rel=1e-3)
    assert (read.dim, read.token_dim, read.context, read.token("*")) == (8, 16, 7, ours.token("*"))
    assert sum(f.stat().st_size for f in folder.iterdir()) < 300_000
    assert not any(p.requires_grad for p in read.parameters())
    assert read.train() is read and not read.model.training  # noqa: PT018 (one statement about one call)


def test_images_of_any_size_are_resized_and_standardised(folder):
    read = PretrainedCLIP(folder)
    small, large = torch.rand(1, 3, 16, 16), None
    large = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert torch.cosine_similarity(read.images(small), read.images(large)) > 0.99


def test_fingerprints_tell_clips_apart(folder, tmp_path):
    other = tiny()
    with torch.no_grad():
        other.text.project.weight[0, 0] += 1
    write_clip(other, tmp_path / "other")
    write_clip(tiny(), tmp_path / "same")
    prints = [PretrainedCLIP(path).fingerprint for path in (folder, tmp_path / "other", tmp_path / "same")]
    assert prints[0] == prints[2] != prints[1]


@pytest.mark.parametrize(
    ("config", "said"), [(None, "must hold a CLIP"), ("{", "not readable"), ('{"model_type": "bert"}', "'bert'")]
)
def test_folders_without_a_clip_are_refused(config, said, tmp_path):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match=said):
        PretrainedCLIP(tmp_path)


def test_texts_that_a_folder_cannot_say_are_refused(folder):
    read = PretrainedCLIP(folder)
    with pytest.raises(InputError, match="green"):
        read.tokens(["a green circle"])
    with pytest.raises(InputError, match="at most 5 tokens"):
        read.tokens(["a a a a a a"])


def test_folders_without_all_weights_are_refused(folder, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "less")
    weights = load_file(tmp_path / "less" / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "less" / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"text_projection\.weight"):
        PretrainedCLIP(tmp_path / "less")
    (tmp_path / "less" / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match="must hold a CLIP"):
        PretrainedCLIP(tmp_path / "less")


def test_a_broken_preprocessor_is_refused(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "odd")
    (tmp_path / "odd" / "preprocessor_config.json").write_text("{")
    with pytest.raises(InputError, match="preprocessor_config"):
        PretrainedCLIP(tmp_path / "odd")


def test_the_end_of_a_text_cannot_be_typed(folder):
    for clip in (tiny(), PretrainedCLIP(folder)):
        with pytest.raises(InputError, match="<end>"):
            clip.tokens(["a <end> circle"])


def test_a_fingerprint_follows_weights_that_change():
    clip = tiny()
    before = clip.fingerprint
    with torch.no_grad():
        clip.text.project.weight.neg_()
    assert clip.fingerprint != before


def test_images_of_another_size_than_the_tower_takes_are_refused():
    for vision in (ConvTower(width=16, dim=8), VisionTower(width=16, dim=8)):
        with pytest.raises(InputError, match="pixels"):
            tiny(vision).images(torch.zeros(1, 3, 20, 20))
