"""Each fault of an endpoint has its documented outcome: a counted reason, or an error that says what to do."""

import base64
import socket
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.captions.answers import Fault, read_answer
from clsp.captions.budget import FailureBudget
from clsp.captions.chat import caption_body
from clsp.captions.client import Answered, ChatClient, ChatRequest, Unanswered
from clsp.captions.connection import Connection, connect
from clsp.captions.prompts import caption_prompt
from clsp.captions.retries import wait_seconds
from clsp.config import EndpointSettings, SamplingSettings
from clsp.errors import ConfigError, EndpointError
from tests.captioning import describer, quick_endpoint, voice, wav

CLIP = base64.b64encode(wav(voice(150))).decode()
SECRET = "sk-very-secret-1234"


def requests(count: int) -> list[ChatRequest]:
    prompt, sampling = caption_prompt("fine", {}), SamplingSettings()

    def body(seed: int):
        return lambda: caption_body("describer", prompt, CLIP, sampling, seed)

    return [ChatRequest(f"r{seed}", body(seed)) for seed in range(count)]


def ask(url: str, count: int = 6, share: float = 1.0, patience: int = 1000, key: str = "", **changes):
    settings = quick_endpoint(url, **changes)
    connections = [Connection(one, key, "CLSP_X") for one in url.split(",")]
    with ChatClient(connections, settings, FailureBudget(url, count, share, patience)) as client:
        return client.ask(requests(count))


def test_answers_come_in_the_order_of_the_questions():
    with describer() as url:
        one, many = ask(url, concurrency=1), ask(url, concurrency=6)
    assert [reply.id for reply in many] == [f"r{number}" for number in range(6)]
    assert one == many
    assert len({reply.text for reply in one}) > 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("500", "server_error"), ("503", "overloaded"), ("429=0", "rate_limited"), ("garbage", "garbage"),
        ("empty", "empty"), ("huge", "oversized"), ("drop", "connection_lost"), ("say=  ", "empty"),
    ],
)  # fmt: skip
def test_a_fault_on_every_try_is_a_counted_reason(fault, reason):
    with describer(fault) as url:
        replies = ask(url, count=2)
    assert [(reply.reason, reply.attempts) for reply in replies] == [(reason, 2)] * 2


def test_an_answer_that_does_not_come_is_a_timeout():
    with describer("hang=3") as url:
        replies = ask(url, count=2, timeout_seconds=0.2, attempts=1)
    assert [(reply.reason, reply.attempts) for reply in replies] == [("timeout", 1)] * 2


@pytest.mark.parametrize("fault", ["500@0.4", "429=0@0.4", "garbage@0.4", "empty@0.4", "drop@0.4"])
def test_passing_faults_are_outlasted(fault):
    with describer(fault) as url:
        replies = ask(url, attempts=12)
    assert all(isinstance(reply, Answered) for reply in replies)
    assert max(reply.attempts for reply in replies) > 1


def test_a_refused_request_is_not_tried_again():
    with describer() as url:
        settings = quick_endpoint(url)
        with ChatClient([Connection(url)], settings, FailureBudget(url, 1, 1.0, 10)) as client:
            (reply,) = client.ask([ChatRequest("r", lambda: b'{"model": "describer"}')])
    assert reply == Unanswered("r", "refused", "HTTP 400", 1)


def test_a_wrong_key_ends_it_and_is_not_shown(capsys):
    with describer(key="right") as url, pytest.raises(EndpointError) as caught:
        ask(url, key=SECRET)
    shown = "".join(traceback.format_exception(caught.value)) + repr(Connection(url, SECRET)) + str(capsys.readouterr())
    assert SECRET not in shown
    assert "CLSP_X" in str(caught.value)
    assert "401" in str(caught.value)


def test_the_right_key_opens():
    with describer(key=SECRET) as url:
        assert all(isinstance(reply, Answered) for reply in ask(url, key=SECRET))


def test_an_unknown_model_ends_it():
    with describer() as url, pytest.raises(EndpointError, match="404"):
        ask(f"{url}/nowhere")


def test_nobody_there_ends_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(EndpointError, match="cannot be reached") as caught:
            ask(url)
    assert "run again" in caught.value.hint


def test_an_endpoint_that_never_answers_well_is_given_up_early():
    with describer("500") as url, pytest.raises(EndpointError, match="failed 3 of 50 rows after 0 answers"):
        ask(url, count=50, patience=3, concurrency=1)


def test_too_many_failures_end_it():
    with describer("500@0.7") as url, pytest.raises(EndpointError, match="allowed"):
        ask(url, count=40, share=0.05, attempts=1)


@pytest.mark.parametrize("url", ["", "ftp://x/v1", "localhost:8000/v1", "http:///v1", "http://me:secret@host/v1"])
def test_a_wrong_url_is_a_wrong_setting(url):
    with pytest.raises(ConfigError) as caught:
        connect(url, "CLSP_X")
    assert "secret" not in str(caught.value)


def test_a_key_that_no_header_can_hold_is_refused_unseen(monkeypatch):
    monkeypatch.setenv("CLSP_X", f"{SECRET}\nX-Evil: 1")
    with pytest.raises(ConfigError) as caught:
        connect("http://host/v1", "CLSP_X")
    assert SECRET not in str(caught.value)


@given(st.integers(1, 20), st.text(max_size=5), st.floats(0, 1000))
def test_waits_are_bounded_and_repeatable(attempt, request, asked):
    settings = EndpointSettings(backoff_seconds=0.5, max_wait_seconds=30)
    wait = wait_seconds(settings, request, attempt, Fault("rate_limited", wait_seconds=asked))
    assert wait == wait_seconds(settings, request, attempt, Fault("rate_limited", wait_seconds=asked))
    assert min(asked, 30) <= wait <= 30
    assert wait >= min(30, 0.25 * 2 ** (attempt - 1))


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)]
)
def test_retry_after_is_read(value, seconds):
    fault = read_answer(429, {"Retry-After": value}, b"")
    assert fault == Fault("rate_limited", "HTTP 429", wait_seconds=seconds)


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b'{"choices": []}', b'{"choices": {"0": 1}}', b'"x"']))
def test_no_body_breaks_the_reader(data):
    assert isinstance(read_answer(200, {}, data), Fault)


@pytest.mark.parametrize("content", ["null", '""', '" \\n"', "7", '["x"]', '"\\ud800"'])
def test_content_that_is_no_text_is_a_fault(content):
    data = f'{{"choices": [{{"message": {{"content": {content}}}}}]}}'.encode()
    assert isinstance(read_answer(200, {}, data), Fault)


def test_failures_of_an_earlier_run_count():
    budget = FailureBudget("x", 100, 0.05, 10)
    budget.resume(answers=50, failures=5)
    with pytest.raises(EndpointError, match="6 of 100"):
        budget.failed("timeout")


def test_a_unit_without_any_answer_is_not_committed():
    budget = FailureBudget("x", 100, 0.5, 10)
    budget.failed("timeout")
    with pytest.raises(EndpointError):
        budget.settle()
    budget.answered()
    budget.settle()
