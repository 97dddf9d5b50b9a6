"""What is asked about a segment, and ids that depend on that alone."""

from dataclasses import replace

from clsp.captions.views import View, asked_caption, caption_id, plan_views, written_caption
from clsp.config import AnnotateSettings
from tests.captioning import make_segment

SETTINGS = AnnotateSettings(views=3, seed=10)
HAPPY = make_segment(tags={"emotion": "happy"})


def test_views_have_their_own_seeds():
    planned = [(view.kind, view.number, view.seed) for view in plan_views(make_segment(), SETTINGS)]
    assert planned == [("fine", 0, 10), ("fine", 1, 11), ("fine", 2, 12), ("global", 0, 10)]


def test_a_global_caption_is_asked_for_only_where_metadata_has_none():
    assert [view.kind for view in plan_views(HAPPY, SETTINGS)] == ["fine"] * 3
    silent = AnnotateSettings(views=1, overall_from_measures=False)
    assert [view.kind for view in plan_views(make_segment(), silent)] == ["fine"]
    assert written_caption(make_segment()) is None


def test_a_written_caption_has_no_model():
    caption = written_caption(HAPPY)
    assert (caption.kind, caption.model, caption.prompt_hash) == ("global", "", "")


def test_everything_that_was_asked_is_in_the_id():
    view = View(make_segment(), "fine", 0, 7)
    views = [view, replace(view, kind="global"), replace(view, number=1), replace(view, seed=8)]
    names = [caption_id(each, "m", "p") for each in views] + [caption_id(view, "n", "p"), caption_id(view, "m", "q")]
    assert len(set(names)) == 6
    assert caption_id(view, "m", "p") == names[0]


def test_a_caption_carries_its_provenance():
    caption = asked_caption(View(make_segment(), "fine", 2, 12), "text", SETTINGS)
    assert (caption.model, caption.seed, caption.view, caption.text) == ("describer", 12, 2, "text")
    assert caption.sampling == {"temperature": 0.6, "top_p": 0.95, "top_k": 20.0, "max_tokens": 512.0}
