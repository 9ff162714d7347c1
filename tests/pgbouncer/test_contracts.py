"""What the stores promise holds through a PgBouncer, too: the same suites, another address."""
# ruff: noqa: F403 - a suite is all of its tests

import pytest

from tests.contracts.test_races_events import *
from tests.contracts.test_races_leader import *
from tests.contracts.test_store_events import *
from tests.contracts.test_store_jobs import *
from tests.contracts.test_store_leader import *
from tests.contracts.test_store_schedule import *

pytestmark = pytest.mark.postgresql
