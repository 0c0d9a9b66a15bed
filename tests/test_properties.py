"""The whole contract on whatever hypothesis thinks of."""

from common import check_contract, time_limit
from fuzz import as_generated, cases
from hypothesis import HealthCheck, given, settings


@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_image_keeps_the_contract(case):
    image, insert = as_generated(case)
    before = image.copy()
    with time_limit(10):
        i_a, m_a = insert()
    check_contract(image, before, i_a, m_a)
    if case.roi is not None:
        assert not m_a[~case.region()].any()
