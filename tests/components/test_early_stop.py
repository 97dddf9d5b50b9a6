"""Views are asked and judged only until enough of them have passed, and the rows say so whatever the order."""

from collections import Counter

import pytest

from clsp.config import load_config
from clsp.errors import ConfigError
from clsp.records import Caption
from clsp.storage import open_store
from tests.captioning import describer, describing, save_voices
from tests.components.test_annotate import annotate, captions_of
from tests.components.test_annotate import checked as checked_captions
from tests.components.test_verify import FAULTS, PLAIN, SEGMENT, caption, checked, save, verify

FEW = {"views": 6, "enough": 2, "overall_from_measures": False}


def test_a_clip_whose_first_views_are_good_costs_no_more(store):
    with describing() as server:
        name = annotate(store, save_voices(store, 4), server.url, **FEW)
        assert server.trouble.requests == 8
    assert checked_captions(store, name, 8).counts.accepted == 8
    assert [row.view for row in captions_of(store, name)] == [0, 1] * 4


def test_views_that_break_a_rule_or_fail_are_made_up_for_by_later_ones(store, tmp_path):
    names = []
    for folder, concurrency in ((store, 1), (open_store(str(tmp_path / "other")), 9)):
        with describer("say=short@0.4") as url:
            endpoint = {"concurrency": concurrency, "first_concurrency": concurrency}
            names.append(annotate(folder, save_voices(folder, 6), url, endpoint=endpoint, segments_per_unit=3, **FEW))
    assert names[0] == names[1]
    rows = captions_of(store, names[0])
    good = Counter(row.segment_id for row in rows if row.text != "short")
    views = Counter(row.segment_id for row in rows)
    assert 12 < len(rows) < 36
    assert all(good[segment] == 2 or views[segment] == 6 for segment in views)


def takes(count: int, *bad: int) -> list[Caption]:
    text = {number: FAULTS["background"] if number in bad else "" for number in range(count)}
    return [
        Caption(f"c{number}", "s0", "fine", number, f"{PLAIN}{text[number]} Take {number}.", "m", "", "p", number, {})
        for number in range(count)
    ]


def items(verdicts) -> list[str]:
    return [verdicts[name].item for name in sorted(verdicts)]


def test_the_verifier_reads_only_until_enough_are_kept(store):
    with describing() as server:
        name = verify(store, save(store, takes(5, 0, 2), [SEGMENT]), server.url, keep=2)
        assert server.trouble.requests == 4
    manifest, verdicts = checked(store, name, 5)
    assert items(verdicts) == ["background", "", "background", "", "surplus"]
    assert manifest.counts.rejected == {"background": 2, "surplus": 1}


def test_a_segment_with_too_few_good_ones_keeps_none_but_its_global_caption(store):
    overall = caption("g", "A woman speaks in a soft, calm voice.", kind="global")
    with describer() as url:
        parents = save(store, [*takes(4, 1, 2), overall], [SEGMENT])
        _, verdicts = checked(store, verify(store, parents, url, keep=4, keep_least=3), 5)
    assert items(verdicts) == ["too_few", "background", "background", "too_few", ""]


def test_the_presets_are_the_published_counts():
    one, many = load_config("emilia"), load_config("paraspeechcaps")
    assert (one.annotate.views, one.verify.keep, one.verify.keep_least) == (5, 1, 1)
    assert (many.annotate.views, many.verify.keep, many.verify.keep_least) == (20, 14, 5)
    assert many.annotate.enough > many.verify.keep
    assert (one.annotate.sampling.temperature, one.annotate.sampling.top_p, one.annotate.sampling.top_k) == (
        0.6,
        0.95,
        20,
    )
    assert one.verify.sampling.max_tokens == 8192


def test_annotate_and_verify_must_agree_on_the_rules(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("annotate: {enough: 1}\nverify: {min_characters: 5}\n")
    with pytest.raises(ConfigError, match=r"annotate\.rules differ"):
        load_config(str(path))
