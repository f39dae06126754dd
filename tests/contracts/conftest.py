"""The contract lives outside of test modules; its assertions shall explain themselves all the same."""

import pytest

pytest.register_assert_rewrite("tests.contracts.provider_contract")
