"""The engine: batches within the budget, one request's trouble stays its own, closing finishes what waits."""

import asyncio
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clsp.config import ServeSettings
from serving import metrics
from serving.engine import ANYONE, Asker, Engine
from serving.errors import RequestError
from serving.lanes import open_lane
from serving.queues import Batching, Job, Queue, choose_batch


class Fake:
    """Embeds a clip as its length; waits at ``gate``; fails on clips of 13 samples; remembers its batches."""

    dimension = 1
    device = torch.device("cpu")

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches = []

    def encode_speech(self, clips):
        self.entered.set()
        assert self.gate.wait(10)
        self.batches.append([len(clip) for clip in clips])
        if 13 in self.batches[-1]:
            raise ValueError("cannot")
        return torch.tensor([[float(len(clip))] for clip in clips])

    def encode_ids(self, ids):
        return torch.tensor([[float(sum(row))] for row in ids])


SETTINGS = ServeSettings(
    batch_seconds=0.01, max_queued_seconds=0.1, retry_after_seconds=3, admission_share=1.0
)  # 160 and 1600 samples


class OneModel(Engine):
    """An engine and the lane of one model."""

    def __init__(self, model):
        super().__init__(SETTINGS)
        self.lane = open_lane(model, SETTINGS)

    async def embed_speech(self, clips, asker=ANYONE):
        return await self.embed(self.lane.speech, clips, 1, asker)

    async def embed_ids(self, ids, asker=ANYONE):
        return await self.embed(self.lane.text, ids, 1, asker)


@pytest.fixture
def started():
    model = Fake()
    engine = OneModel(model)
    engine.start()
    yield SimpleNamespace(model=model, engine=engine)
    model.gate.set()
    engine.close()


def clips(*lengths):
    return [np.zeros(length, np.float32) for length in lengths]


async def held(started):
    """A request that keeps the device busy until the gate opens."""
    started.model.gate.clear()
    first = asyncio.create_task(started.engine.embed_speech(clips(160)))
    await asyncio.to_thread(started.model.entered.wait, 10)
    return first


@pytest.mark.anyio
async def test_rows_come_back_in_order_and_batches_keep_the_budget(started):
    first = await held(started)
    others = [asyncio.create_task(started.engine.embed_speech(clips(50, 60))) for _ in range(3)]
    await asyncio.sleep(0)
    started.model.gate.set()
    assert [row.tolist() for row in await asyncio.gather(*others)] == [[[50.0], [60.0]]] * 3
    assert (await first).tolist() == [[160.0]]
    assert started.model.batches == [[160], [50, 50, 50], [60, 60], [60]]  # neighbours in length, within 160


@pytest.mark.anyio
async def test_text_takes_turns_with_waiting_sound(started):
    first = await held(started)
    sound = asyncio.create_task(started.engine.embed_speech(clips(*[160] * 5)))
    text = asyncio.create_task(started.engine.embed_ids([[1, 2], [5]]))
    await asyncio.sleep(0)
    started.model.gate.set()
    assert (await text).tolist() == [[3.0], [5.0]]
    await asyncio.gather(first, sound)


@pytest.mark.anyio
async def test_too_much_waiting_is_refused_with_a_time(started):
    first = await held(started)
    second = asyncio.create_task(started.engine.embed_speech(clips(*[160] * 9)))
    await asyncio.sleep(0)
    with pytest.raises(RequestError) as caught:
        await started.engine.embed_speech(clips(160, 160))
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "3"})
    started.model.gate.set()
    await asyncio.gather(first, second)


@pytest.mark.anyio
async def test_a_request_that_went_is_not_computed(started):
    first = await held(started)
    gone = asyncio.create_task(started.engine.embed_speech(clips(77)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    started.model.gate.set()
    await first
    await started.engine.embed_speech(clips(20))
    assert started.model.batches == [[160], [20]]


@pytest.mark.anyio
async def test_what_waits_is_told_as_it_comes_and_as_it_goes(started):
    """Autoscalers follow this number: callers that hang up must not leave it high for ever."""
    first = await held(started)
    gone = asyncio.create_task(started.engine.embed_speech(clips(1600)))
    await asyncio.sleep(0)
    assert metrics.QUEUED_SECONDS._value.get() == pytest.approx(0.1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert metrics.QUEUED_SECONDS._value.get() == 0.0
    started.model.gate.set()
    await first


@pytest.mark.anyio
async def test_callers_take_turns(started):
    first = await held(started)
    many = asyncio.create_task(started.engine.embed_speech(clips(*[150] * 6), Asker("crowd")))
    await asyncio.sleep(0)
    one = asyncio.create_task(started.engine.embed_speech(clips(100), Asker("single")))
    await asyncio.sleep(0)
    started.model.gate.set()
    await asyncio.gather(first, many, one)
    assert started.model.batches.index([100]) <= 2


@pytest.mark.anyio
async def test_an_answer_that_would_come_too_late_is_refused_at_once(started):
    started.engine.lane.speech.measure(160, 10.0)  # a device that takes ten seconds for 160 samples
    first = await held(started)
    second = asyncio.create_task(started.engine.embed_speech(clips(160)))
    await asyncio.sleep(0)
    for refused in (lambda: started.engine.admit(Asker(seconds=2.0)), lambda: started.engine.admit(Asker("x", 9.0))):
        with pytest.raises(RequestError) as caught:
            refused()
        assert (caught.value.status, caught.value.code) == (429, "overloaded")
    assert int(caught.value.headers["Retry-After"]) >= 1
    started.engine.admit(Asker(seconds=20.0))
    with pytest.raises(RequestError):
        await started.engine.embed_speech(clips(*[160] * 3), Asker(seconds=20.0))  # its own length counts
    started.model.gate.set()
    await asyncio.gather(first, second)


@pytest.mark.anyio
async def test_what_waited_too_long_is_not_computed(started):
    first = await held(started)
    late = asyncio.create_task(started.engine.embed_speech(clips(33), Asker(seconds=0.01)))
    await asyncio.sleep(0.05)
    started.model.gate.set()
    with pytest.raises(RequestError) as caught:
        await late
    assert (caught.value.status, caught.value.code) == (429, "expired")
    await first
    assert [33] not in started.model.batches


@given(st.lists(st.integers(1, 100), min_size=1, max_size=20), st.integers(1, 400), st.floats(0, 1))
def test_a_batch_holds_the_first_keeps_the_budget_and_wastes_little(lengths, budget, fill):
    chosen = choose_batch(lengths, Batching(budget, 64, fill))
    assert 0 in chosen
    assert len(set(chosen)) == len(chosen)
    if len(chosen) > 1:
        batch = [lengths[place] for place in chosen]
        assert max(batch) * len(batch) <= budget
        assert sum(batch) >= fill * max(batch) * len(batch)


@pytest.mark.anyio
async def test_a_failing_batch_fails_its_requests_only(started):
    with pytest.raises(RequestError, match="the model failed"):
        await started.engine.embed_speech(clips(13))
    assert (await started.engine.embed_speech(clips(14))).tolist() == [[14.0]]


@pytest.mark.anyio
async def test_what_is_wrong_with_one_request_is_not_the_trouble_of_its_neighbours(started):
    first = await held(started)
    good = asyncio.create_task(started.engine.embed_speech(clips(14, 12)))
    bad = asyncio.create_task(started.engine.embed_speech(clips(13)))
    await asyncio.sleep(0)
    started.model.gate.set()
    assert (await good).tolist() == [[14.0], [12.0]]
    with pytest.raises(RequestError, match="the model failed"):
        await bad
    assert [14, 12, 13] in started.model.batches
    await first


@pytest.mark.anyio
async def test_closing_finishes_what_waits_and_refuses_the_rest():
    model = Fake()
    engine = OneModel(model)
    engine.start()
    await held(SimpleNamespace(model=model, engine=engine))
    waiting = asyncio.create_task(engine.embed_speech(clips(30)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(engine.close))
    while not engine._closed:
        await asyncio.sleep(0.01)
    with pytest.raises(RequestError) as caught:
        await engine.embed_speech(clips(30))
    assert caught.value.status == 503
    model.gate.set()
    await closing
    assert (await waiting).tolist() == [[30.0]]


@pytest.mark.anyio
async def test_a_version_that_was_swapped_out_finishes_what_it_accepted(started):
    first = await held(started)
    other = Fake()
    lane = open_lane(other, SETTINGS)
    before = asyncio.create_task(started.engine.embed_speech(clips(40)))
    after = asyncio.create_task(started.engine.embed(lane.speech, clips(50), 1))
    await asyncio.sleep(0)
    started.model.gate.set()
    await asyncio.gather(first, before, after)
    assert (started.model.batches, other.batches) == ([[160], [40]], [[50]])


def waiting_queue(jobs: int, deadline: float) -> tuple[Queue, asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    queue = Queue("audio", list, Batching(10**9, 64, 0.0))
    for number in range(jobs):
        queue.add(Job(np.zeros((1, 1)), 1, loop.create_future(), loop, deadline, f"caller {number % 1000}"), [[0.0]])
    return queue, loop


def test_choosing_a_batch_looks_at_no_more_than_the_window_however_much_waits():
    looked = []

    class Counted(list):
        def __len__(self):
            looked.append(1)
            return super().__len__()

    queue, loop = waiting_queue(0, 0.0)
    for number in range(5000):
        job = Job(np.zeros((1, 1)), 1, loop.create_future(), loop, 1e9, f"caller {number % 100}")
        queue.add(job, [Counted([0.0])])
    looked.clear()
    queue.take(0.0)
    assert len(looked) <= 3 * 64
    loop.close()


def test_what_is_late_leaves_at_once_and_jobs_that_left_are_forgotten():
    queue, loop = waiting_queue(300, 5.0)
    items, late = queue.take(4.0)
    assert (len(items), late, queue.waiting) == (64, [], 236)
    items, late = queue.take(6.0)
    assert (items, len(late), queue.waiting, bool(queue)) == ([], 236, 0, False)
    for _ in range(1000):
        job = Job(np.zeros((1, 1)), 1, loop.create_future(), loop, 1e9)
        queue.add(job, [[0.0]])
        queue.drop(job)
    assert len(queue._deadlines) < 100
    loop.close()


def test_a_forward_of_several_items_is_no_longer_than_it_may_take():
    queue, loop = waiting_queue(0, 0.0)
    queue.batching = Batching(10**9, 64, 0.0, seconds=0.5)
    for _ in range(60):
        queue.add(Job(np.zeros((1, 1)), 1, loop.create_future(), loop, 1e9), [[0.0]])
    queue.measure(100, 5.0)  # twenty a second
    assert len(queue.take(0.0)[0]) == 10
    loop.close()


def test_what_a_forward_would_finish_too_late_leaves_before_it():
    queue, loop = waiting_queue(3, 5.0)
    queue.forward_seconds = 2.0
    assert len(queue.take(2.9)[0]) == 3
    queue, loop = waiting_queue(3, 5.0)
    queue.forward_seconds = 2.0
    items, late = queue.take(3.1)
    assert (items, len(late)) == ([], 3)
    assert queue.forward_seconds == 1.0, "one slow forward must not refuse everybody for ever"
    loop.close()


@pytest.mark.anyio
async def test_sounds_that_are_still_decoded_count_in_the_wait(started):
    started.engine.backlog.decoded(0.4)
    started.engine.backlog.forwarded(1, 0.3)
    with started.engine.backlog.expecting(10):
        assert started.engine.waiting_seconds() == pytest.approx(10 * (0.4 / 2 + 0.3))
        with pytest.raises(RequestError):
            started.engine.admit(Asker(seconds=4.0))
        started.engine.admit(Asker(seconds=6.0))
    started.engine.admit(Asker(seconds=0.1))


@pytest.mark.anyio
async def test_admission_leaves_room_for_what_nobody_can_predict():
    engine = Engine(SETTINGS.model_copy(update={"admission_share": 0.5}))
    engine.backlog.decoded(2.0)
    with engine.backlog.expecting(1):
        with pytest.raises(RequestError):
            engine.admit(Asker(seconds=1.9))
        engine.admit(Asker(seconds=2.1))


@pytest.mark.anyio
async def test_a_deadline_counts_from_when_the_request_came(started):
    asker = Asker("x", 5.0, time.monotonic() - 6.0)
    with pytest.raises(RequestError) as caught:
        started.engine.check_time(asker)
    assert caught.value.code == "expired"
    started.engine.check_time(Asker("x", 60.0, time.monotonic() - 6.0))
