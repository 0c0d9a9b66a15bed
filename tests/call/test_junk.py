"""Junk at every keyword: a valid result, or an error that names the keyword."""

import pytest
from common import NAMES
from fuzz import JUNK, keywords_of, try_junk


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [*NAMES, "insert"])
def test_junk_at_every_keyword(name):
    results = [try_junk(name, keyword, index) for keyword in keywords_of(name) for index in range(len(JUNK))]
    assert [result for result in results if result not in ("valid", "refused")] == []
    assert results.count("refused") > len(results) / 3
