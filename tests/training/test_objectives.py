"""What a stage says of its schedule, and how it knows that two captions are the same."""

import pytest
import torch
from structlog.testing import capture_logs

from clsp.data.collate import pad_tokens
from clsp.data.pairs import Task
from clsp.losses import attribute_contrast, info_nce, multi_positive
from clsp.training.objectives import Embedded, Objective, text_labels
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


@pytest.mark.parametrize("task", list(Task))
def test_stage_3_adds_the_choice_between_a_caption_and_its_swapped_copy(task):
    torch.manual_seed(0)
    captions = 1 if task is Task.FINE else 2
    speech, text = (torch.nn.functional.normalize(torch.randn(n, 8), dim=-1) for n in (3, (captions + 2) * 3))
    scale, differs = torch.tensor(5.0), torch.tensor([True, False, True])
    embedded = Embedded(task, speech, text, scale, torch.arange(len(text)), differs)
    found = Objective("stage2", stage_settings(swapped_weight=0.2)).loss(embedded, None, 4096)
    pair = text[captions * 3 : (captions + 1) * 3], text[(captions + 1) * 3 :]
    main = info_nce if task is Task.FINE else multi_positive
    expected = main(speech, text[: captions * 3], scale) + 0.2 * attribute_contrast(speech, *pair, scale, differs)
    torch.testing.assert_close(found, expected)
