"""AdaMatch's step against our FixMatch's, and our augmentation against kornia's: same work, same run, medians of
interleaved repetitions.

    python benchmarks/adamatch.py [--threads 1] [--repeats 40] [--device cpu]

Expected by counting images per step at ratio r: AdaMatch 2B(2 + r), FixMatch 2B(1 + r), so 1.25 at r = 3.
"""

from __future__ import annotations

import argparse
import json

import torch

from holdfast.baselines.fixmatch import FixMatch
from holdfast.data.augment import DIGITS_STRONG
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.layers.wide_resnet import WideResNet
from holdfast.systems.adamatch import AdaMatch, CTAugment
from holdfast.testing.timing import interleaved, medians, one_step

B, R = 32, 3


def steps(repeats: int, device: torch.device) -> dict[str, float]:
    """Milliseconds per step and their ratio, for the small network and a wide residual network."""
    rng = torch.Generator(device).manual_seed(0)
    networks = {"small": (1, 16, lambda: SmallConvNet(1, 10)), "wrn10-2": (3, 32, lambda: WideResNet(3, 10, blocks=1))}
    out = {}
    for name, (channels, side, net) in networks.items():
        b = B if name == "small" else B // 4  # the wide one takes seconds on a CPU
        batch = {
            "sx": torch.rand(b, channels, side, side, device=device),
            "sy": torch.randint(0, 10, (b,), device=device),
            "tx": torch.rand(b * R, channels, side, side, device=device),
        }
        works = {
            k: one_step(kind(net(), 10).to(device), batch, rng)
            for k, kind in (("AdaMatch", AdaMatch), ("FixMatch", FixMatch))
        }
        median = medians(interleaved(works, repeats if name == "small" else max(repeats // 4, 3), device))
        out |= {f"{name}: {k} ms per step": 1e3 * v for k, v in median.items()}
        out[f"{name}: AdaMatch / FixMatch (by count {(2 + R) / (1 + R):.2f})"] = median["AdaMatch"] / median["FixMatch"]
    return out


def augmentation(repeats: int, device: torch.device) -> dict[str, float]:
    """Images per second. kornia's RandAugment draws one policy per batch, CTAugment one per image."""
    import kornia.augmentation as K
    from kornia.augmentation.auto import RandAugment

    rng = torch.Generator(device).manual_seed(0)
    out = {}
    for name, images in {
        "128 grey 16x16": torch.rand(128, 1, 16, 16, device=device),
        "128 colour 32x32": torch.rand(128, 3, 32, 32, device=device),
    }.items():
        area = 25 / (images.shape[2] * images.shape[3])
        affine = K.RandomAffine(12.5, translate=(0.2, 0.2), scale=(0.75, 1.25), shear=(-11.3, 11.3), p=1.0)
        erase = K.RandomErasing(scale=(area, area), ratio=(1.0, 1.0), value=0.5, p=1.0)
        theirs_strong = K.AugmentationSequential(affine, K.RandomBrightness((0.6, 1.4), p=1.0), erase).to(device)
        half = K.RandomErasing(scale=(0.25, 0.25), ratio=(1.0, 1.0), value=0.5, p=1.0)
        rand_augment = RandAugment(n=2, m=10).to(device)
        ours_cta = CTAugment().to(device)
        colour = images.expand(-1, 3, -1, -1).contiguous()
        works = {
            "DIGITS_STRONG": lambda x=images: DIGITS_STRONG(x, rng),
            "kornia affine + brightness + erasing": lambda x=images, f=theirs_strong: f(x),
            "CTAugment": lambda x=colour, f=ours_cta: f(x, rng),
            "kornia RandAugment + erasing": lambda x=colour, f=rand_augment, g=half: g(f(x)),
        }
        median = medians(interleaved(works, repeats, device))
        out |= {f"{name}: {k} images/s": len(images) / v for k, v in median.items()}
        ours, theirs, cta, rand = median.values()
        out[f"{name}: strong, ours over kornia"] = theirs / ours
        out[f"{name}: CTAugment over kornia RandAugment"] = rand / cta
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    results = steps(arguments.repeats, device) | augmentation(arguments.repeats, device)
    print(json.dumps({name: round(value, 3) for name, value in results.items()}, indent=1))


if __name__ == "__main__":
    main()
