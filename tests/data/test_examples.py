"""Examples hold what was handed in: nothing gained, nothing lost but segments without a fine caption."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from clsp.data.examples import build_examples, captionless
from tests import judged_rows

SEGMENTS = [judged_rows.segment(number) for number in range(6)]
captions = st.lists(
    st.builds(
        lambda number, view, kind, text: replace(judged_rows.caption(number, view, kind), text=text),
        st.integers(0, 7),  # 6 and 7 belong to no segment
        st.integers(0, 2),
        st.sampled_from(["fine", "global"]),
        st.sampled_from(["calm", "lively", "warm"]),
    ),
    max_size=30,
)


@given(captions)
def test_segments_are_kept_or_captionless(rows):
    examples = build_examples(SEGMENTS, rows)
    left_out = captionless(SEGMENTS, examples)
    assert len(examples) + len(left_out) == len(SEGMENTS)
    assert all(example.fine for example in examples)
    assert {segment.id for segment in left_out}.isdisjoint(row.segment_id for row in rows if row.kind == "fine")


@given(captions)
def test_an_example_has_exactly_the_different_texts_of_its_segment(rows):
    for example in build_examples(SEGMENTS, rows):
        own = [row for row in rows if row.segment_id == example.segment_id]
        for kind, texts in (("fine", example.fine), ("global", example.overall)):
            assert set(texts) == {row.text for row in own if row.kind == kind}
            assert len(set(texts)) == len(texts)


@given(captions, st.randoms())
def test_the_order_of_captions_does_not_matter(rows, random):
    unique = list({row.id: row for row in rows}.values())
    assert build_examples(SEGMENTS, random.sample(unique, len(unique))) == build_examples(SEGMENTS, unique)


def test_examples_follow_segments_and_captions_follow_views():
    rows = [judged_rows.caption(number, view) for number in (3, 1) for view in (1, 0)]
    examples = build_examples(SEGMENTS, rows)
    assert [example.segment_id for example in examples] == ["segment-001", "segment-003"]
    assert examples[0].fine == tuple(judged_rows.caption(1, view).text for view in (0, 1))
    assert (examples[0].speaker, examples[0].audio_offset) == (SEGMENTS[1].speaker, SEGMENTS[1].audio_offset)
    assert examples[0].measures == {}
