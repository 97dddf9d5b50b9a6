"""Answers as servers send them: the text, the reasoning apart from it, and the names of what is wrong."""

import orjson
import pytest

from clsp.captions.answers import Answer, Fault, read_answer, split_reasoning


def answer(content, finish="stop", **message) -> bytes:
    return orjson.dumps({"choices": [{"finish_reason": finish, "message": {"content": content, **message}}]})


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_that_comes_apart_stays_apart(name):
    assert read_answer(200, {}, answer("{}", **{name: " hm \n"})) == Answer("{}", "hm")


@pytest.mark.parametrize(
    ("content", "text", "thought"),
    [
        ("<think>\nIs it?\n</think>\n\n{}", "{}", "Is it?"),
        ("Is it?\n</think>\n{}", "{}", "Is it?"),  # the template opened it in the prompt
        ("<think>a</think>b</think>c", "c", "a</think>b"),
        ("{}", "{}", ""),
        ("<think>never ends", "<think>never ends", ""),
    ],
)
def test_reasoning_inside_is_taken_out(content, text, thought):
    assert split_reasoning(content) == Answer(text, thought)


def test_a_model_that_thought_until_the_end_is_not_asked_the_same_again():
    fault = read_answer(200, {}, answer(None, finish="length", reasoning="hm, hm"))
    assert (fault.reason, fault.passing) == ("truncated", False)


@pytest.mark.parametrize("data", [b'{"choices": [7]}', b'{"choices": [{"message": "x"}]}', answer("x", reasoning=7)])
def test_another_shape_is_garbage(data):
    assert read_answer(200, {}, data) == Fault("garbage", "not a chat answer")
