"""The API against its own OpenAPI document: whatever is asked, no answer is a mistake of ours."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case

from ibp_chain.web.api import router
from ibp_chain.web.models import Problem
from tests.support import web

_SCHEMA = web.schema()
schema = schemathesis.openapi.from_dict(_SCHEMA)


@pytest.fixture(scope="module")
def browser() -> web.Browser:
    return web.browser()


@schema.parametrize()
@settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_is_a_mistake_of_the_servers(case: Case[Any], browser: web.Browser) -> None:
    answer = asyncio.run(web.asked(browser.app, case))
    assert answer.status_code < 500
    assert str(answer.status_code) in case.operation.definition.raw["responses"] or (
        answer.status_code in (405, 413, 414)
    )
    if answer.status_code >= 400:
        Problem.model_validate_json(answer.content)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    operations = [each for methods in _SCHEMA["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert len(operations) >= len(router.routes)
    assert all(each["description"] and each["tags"] for each in operations)


def test_no_operation_writes() -> None:
    assert {method for methods in _SCHEMA["paths"].values() for method in methods} == {"get"}
