"""The cascade: a captioner that reads tags of a clip instead of hearing it, behind the same step."""

import orjson
import pytest

from clsp.audio.acoustics import measure
from clsp.captions.captioners import captioner_of, measured_tags
from clsp.captions.prompts import cascaded_prompt, prompt_hash, prompts_hash, read_reference
from clsp.captions.views import plan_views
from clsp.config import AnnotateSettings
from clsp.records import Segment
from clsp.storage.manifest import load_manifest, read_rows
from tests.captioning import RATE, describer, save_voices, voice
from tests.components.test_annotate import annotate, captions_of

CASCADE = AnnotateSettings(captioner_hears="tags")


def segment_of(store, **changes) -> Segment:
    manifest = load_manifest(store, save_voices(store, 1, **changes))
    return next(read_rows(store, manifest, "segments", Segment))


def test_tags_follow_what_is_measured():
    low, high = (measured_tags(measure(voice(hertz), RATE)) for hertz in (85, 300))
    assert (low["pitch"], high["pitch"]) == ("very low", "very high")
    assert low.keys() >= {"speaking rate", "loudness", "intonation", "brightness"}


def test_a_voice_without_pitch_has_no_tags_of_it():
    noise = measure(voice(85) * 0, RATE)
    assert "pitch" not in measured_tags(noise)


def test_the_model_reads_tags_alone_and_peoples_go_before_measured_ones(store):
    segment = segment_of(store, gender="female", tags={"pitch": "high", "emotion": "happy"})
    reader = captioner_of(store, segment, 3, CASCADE)
    body = orjson.loads(reader.body(plan_views(segment, CASCADE)[0]))
    (message,) = body["messages"]
    tags = read_reference(message["content"])
    assert (tags["gender"], tags["pitch"], tags["emotion"]) == ("female", "high", "happy")
    assert tags["loudness"]
    assert "input_audio" not in str(body)


def test_the_other_captioner_sends_the_sound(store):
    segment, settings = segment_of(store), AnnotateSettings()
    body = captioner_of(store, segment, 1, settings).body(plan_views(segment, settings)[0])
    assert "input_audio" in str(orjson.loads(body))


@pytest.mark.parametrize("kind", ["fine", "global"])
def test_its_prompts_have_versions_of_their_own(kind):
    assert prompt_hash(kind, "tags") != prompt_hash(kind)
    assert prompts_hash("tags") != prompts_hash()
    assert "characters" in cascaded_prompt(kind, {"pitch": "low"})


def test_the_step_runs_with_it_and_makes_other_work(store):
    segments = save_voices(store, 2)
    with describer("say=A low and even voice speaks at a measured pace.") as url:
        heard = annotate(store, segments, url)
        read = annotate(store, segments, url, captioner_hears="tags")
    assert heard != read
    rows = captions_of(store, read)
    assert len(rows) == 6
    assert {row.prompt_hash for row in rows} == {prompt_hash("fine", "tags"), prompt_hash("global", "tags")}
