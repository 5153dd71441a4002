"""What pydantic found wrong, in words for people."""

from pydantic import ValidationError


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, with the field that it is about."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else problem["msg"]
