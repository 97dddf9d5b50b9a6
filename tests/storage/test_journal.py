"""Answers that were written down are there for whoever goes on, and gone when their unit is committed."""

import pytest

from clsp.errors import StorageError
from clsp.storage.journal import Journal


def test_records_are_read_by_unit_and_forgotten(store):
    with Journal(store, "annotate", "key", 0.01) as journal:
        for number in range(5):
            journal.note("a", {"id": number})
        journal.note("b", {"id": 9})
    other = Journal(store, "annotate", "key", 0.01)
    assert sorted(record["id"] for record in other.read("a")) == [0, 1, 2, 3, 4]
    other.forget("a")
    assert (other.read("a"), other.read("b")) == ([], [{"id": 9}])


def test_another_work_has_another_journal(store):
    with Journal(store, "annotate", "key", 0.01) as journal:
        journal.note("a", {"id": 1})
    assert Journal(store, "annotate", "other", 0.01).read("a") == []


def test_many_records_are_few_objects(store):
    with Journal(store, "annotate", "key", 60.0) as journal:
        for number in range(500):
            journal.note("a", {"id": number})
    assert len(list(store.list("journal/"))) == 1


def test_a_store_that_refuses_is_told_to_who_notes(store, monkeypatch):
    def refuse(key, data):
        raise StorageError("disk full", hint="free space")

    monkeypatch.setattr(store, "put_if_absent", refuse)
    with pytest.raises(StorageError, match="disk full"):
        note_on(store)


def note_on(store):
    with Journal(store, "annotate", "key", 0.01) as journal:
        while True:
            journal.note("a", {"id": 1})
