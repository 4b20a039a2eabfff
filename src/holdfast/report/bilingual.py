"""The digest's own words in English and Chinese, and verdicts put into Chinese.

What authors of systems write comes from their cards in both languages. The texts of claims are English in the ledger,
and stay so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.report import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.decision import Verdict
    from holdfast.report.entries import Errors

WORDS = {  # name -> (English, Chinese)
    "title": ("Of every method: does it hold?", "每种方法都问一句：站得住吗？"),
    "about": (
        "Machine-learning papers, what each is good for, and whether its claim held when it was tested.",
        "每篇机器学习论文能做什么、适合什么场景，以及其结论在检验中是否成立。",
    ),
    "language": ("Language", "语言"),
    "search": ("Search", "搜索"),
    "search_hint": ("/ to search, Esc to clear", "按 / 搜索，按 Esc 清除"),
    "area": ("Area", "领域"),
    "all": ("all", "全部"),
    "shown": ("shown", "项符合"),
    "open_all": ("Open all", "全部展开"),
    "close_all": ("Close all", "全部收起"),
    "nothing": ("No system matches. Esc clears the search.", "没有匹配的系统。按 Esc 清除搜索。"),
    "points": ("Key points", "要点"),
    "use_when": ("Use it when", "适用场景"),
    "avoid_when": ("Not when", "不适用场景"),
    "verdicts": ("Verdicts", "检验结论"),
    "other_verdicts": ("All other claims and controls", "其余结论与对照"),
    "published": ("Published", "原文结果"),
    "claims": ("Claims as published", "原文的主要结论"),
    "scope": ("Tested on", "检验范围"),
    "run": ("Test it yourself", "自行检验"),
    "own": ("On your own data", "用于自己的数据"),
    "code": ("the authors' code", "作者代码"),
    "licence_unknown": ("licence unknown", "许可证不明"),
    "patent": ("Patent", "专利"),
    "measured": ("Measured", "测量条件"),
    "not_measured": ("not measured yet", "尚未检验"),
    "unreadable": ("Its ledger cannot be used", "检验记录无法使用"),
    "broken": ("Systems that cannot be used", "无法使用的系统"),
    "errors": ("How many of these headlines are false?", "这些主要结论中有多少是错的？"),
    "as_expected": ("as expected", "符合预期"),
    "not_as_expected": ("not as expected", "不符合预期"),
    "headline": ("headline", "主要结论"),
    "secondary": ("secondary", "次要结论"),
    "control": ("control", "对照"),
    "holds": ("holds", "成立"),
    "does not hold": ("does not hold", "不成立"),
    "undecided": ("undecided", "未定"),
    "not testable here": ("not testable here", "此处无法检验"),
    "system": ("system", "个系统"),
    "systems": ("systems", "个系统"),
    "in_ledger": ("in the ledger", "个已检验"),
    "footer": (
        "Made by holdfast from cards and ledger. This page needs no network and can be kept as it is.",
        "由 holdfast 根据系统卡片与检验记录生成。本页无需联网，可直接保存。",
    ),
}
AREAS = {  # arXiv's categories
    "LG": ("machine learning", "机器学习"),
    "CV": ("vision", "计算机视觉"),
    "CL": ("language", "自然语言"),
    "AS": ("audio and speech", "音频与语音"),
    "RO": ("robotics", "机器人"),
}


def expected_errors(errors: Errors) -> tuple[str, str]:
    """How many false headlines to expect, in English and Chinese.

    Example:
        >>> from holdfast.report.entries import Errors
        >>> expected_errors(Errors(tested=30, decided=20))[0]
        'At most 1.50 false headlines are to be expected among 30 tested.'
    """
    return (
        f"At most {errors.expected:.2f} false headlines are to be expected among {errors.tested} tested.",
        f"在已检验的 {errors.tested} 个主要结论中，预计最多有 {errors.expected:.2f} 个是错的。",
    )


def effect_zh(verdict: Verdict) -> str:
    """What `wording.effect` says, in Chinese; empty where nothing was judged.

    Example:
        >>> from holdfast.decision import Verdict
        >>> effect_zh(Verdict(claim={}, text="", role="headline", verdict="holds", effect=2.0, interval=(1.0, 3.0),
        ...     region=(0.5, float("inf")), unit="%", n=8))
        '+2.0 [1.0, 3.0] %，n = 8；目标：不低于 0.5 %'
    """
    if not wording.is_finite(verdict.effect):
        return ""
    shown = " ".join(text for text in wording.measured(verdict) if text != wording.NONE)
    asked = _region_zh(verdict.region, verdict.unit)
    return f"{wording.with_unit(shown, verdict.unit)}，n = {verdict.n}" + (f"；目标：{asked}" if asked else "")


def sample_size_zh(verdict: Verdict) -> str:
    """What `wording.sample_size` says, in Chinese."""
    if not wording.sample_size(verdict):
        return ""
    if wording.is_finite(verdict.needed) and verdict.needed:
        return f"约 {wording.number(int(verdict.needed))} 次重复很可能得出结论。"
    if verdict.wants_more:
        return "仍可增加重复次数，再判断一次。"
    return "" if verdict.interval is None else "增加重复次数多半也无法得出结论，1000 次也不行。"


def _region_zh(pair: Sequence[float] | None, unit: str) -> str:
    if pair is None:
        return ""
    has_low, has_high = (wording.is_finite(end) for end in pair)
    # Exact values are asked for by a region a hair wide, as in `wording.region`.
    low, high = (f"{end if abs(end) > 1e-200 else 0:.6g}" if wording.is_finite(end) else "" for end in pair)
    if has_low and has_high:
        return wording.with_unit(f"恰为 {low}" if low == high else f"介于 {low} 与 {high} 之间", unit)
    if has_low:
        return wording.with_unit(f"不低于 {low}", unit)
    return wording.with_unit(f"不高于 {high}", unit) if has_high else ""
