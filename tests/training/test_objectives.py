"""What a stage says of its schedule, and how it knows that two captions are the same."""

import torch
from structlog.testing import capture_logs

from clsp.data.collate import pad_tokens
from clsp.training.objectives import Objective, text_labels
from tests.training.bench import stage_settings


def test_equal_texts_have_equal_labels_whatever_their_padding():
    texts = [[0, 5, 9, 2], [0, 9, 5, 2], [0, 5, 9, 2], [0, 5, 9], [0, 5]]
    labels = text_labels(*pad_tokens(texts)).tolist()
    assert labels[0] == labels[2]
    assert len(set(labels)) == 4
    assert text_labels(*pad_tokens(texts[:1])).tolist() == labels[:1]
    longer = torch.nn.functional.pad(torch.tensor(texts[:1]), (0, 3), value=1)
    assert text_labels(longer, (longer != 1).long()).tolist() == labels[:1]


def test_a_run_shorter_than_its_task_schedule_is_warned_of():
    with capture_logs() as logs:
        Objective("stage2", stage_settings(steps=4)).warn()
        Objective("stage2", stage_settings(steps=8)).warn()
        Objective("stage1", stage_settings(steps=4)).warn()
    assert [entry["event"] for entry in logs] == ["task_schedule_unfinished"]
    assert logs[0]["ends_at"] == 0.725
