"""Drives a gateway with instructor, unmodified, by a JSON schema and by a tool. See checks.py and
openai_chat.py. MODEL must be able to fill a JSON schema.
"""

import instructor
import openai
from pydantic import BaseModel

from checks import BASE_URL, KEY, MODEL, TIMEOUT, TOOL_MODEL
from checks import expect, need, run

QUESTION = [{"role": "user", "content": "Anna is 31 years old. Who is it?"}]


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def client(mode):
    inner = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=TIMEOUT)
    return instructor.from_openai(inner, mode=mode)


def ask(mode, model, create="create", **more):
    act = getattr(client(mode).chat.completions, create)
    settings = {"model": model, "messages": QUESTION, "max_tokens": 100, "temperature": 0}
    return act(response_model=Person, max_retries=0, **settings, **more)


def by_schema():
    person = ask(instructor.Mode.JSON_SCHEMA, MODEL)
    expect(isinstance(person, Person) and person.name, f"the person is {person!r}")


def by_schema_stream():
    states = list(ask(instructor.Mode.JSON_SCHEMA, MODEL, "create_partial"))
    expect(len(states) > 1 and states[-1].name, f"the states are {states}")
    expect(isinstance(states[-1].age, int), f"the last state is {states[-1]!r}")


def by_tool():
    person = ask(instructor.Mode.TOOLS, need(TOOL_MODEL, "TOOL_MODEL"))
    expect(isinstance(person, Person), f"the person is {person!r}")


run([by_schema, by_schema_stream, by_tool])
