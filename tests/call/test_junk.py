"""Invalid values for every keyword give a valid result, or an error that names the keyword."""

import pytest
from common import ALL
from fuzz import JUNK, keywords_of, try_junk


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*ALL, "insert"])
def test_junk_at_every_keyword(name, step):
    """The slow form uses all values; the other one uses a seventh of them for each keyword, with a different start."""
    tried = [(keyword, k) for n, keyword in enumerate(keywords_of(name)) for k in range(n % step, len(JUNK), step)]
    results = [try_junk(name, keyword, index) for keyword, index in tried]
    assert [result for result in results if result not in ("valid", "refused")] == []
    assert results.count("refused") > len(results) / 3
