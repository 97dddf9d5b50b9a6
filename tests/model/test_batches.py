"""Groups of similar length: within the budget, with little padding, and none too small."""

from hypothesis import given
from hypothesis import strategies as st

from clsp.model.batches import length_sorted_batches


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 2000))
def test_every_item_is_in_one_group_within_the_budget(lengths, budget):
    batches = length_sorted_batches(lengths, budget)
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or lengths[batch[0]] * len(batch) <= budget
        assert lengths[batch[0]] == max(lengths[position] for position in batch)


def test_much_shorter_items_make_a_group_of_their_own():
    assert length_sorted_batches([100, 30, 90, 100, 31], 1600) == [[0, 3, 2], [4, 1]]


def test_a_small_group_takes_any_item():
    assert length_sorted_batches([100, 3, 90, 20], 16_000) == [[0, 2, 3, 1]]
