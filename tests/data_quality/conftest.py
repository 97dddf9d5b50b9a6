"""Evidence that passes, and the gate with the built-in thresholds, which judges drift of however few rows."""

import pytest

from data_quality.evidence import Evidence
from data_quality.gate import Gate
from data_quality.thresholds import load_thresholds
from tests.judged_rows import ANY_DRIFT, passing_evidence


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    return passing_evidence()


@pytest.fixture(scope="session")
def gate() -> Gate:
    return Gate(load_thresholds(ANY_DRIFT), max_example_rows=3)
