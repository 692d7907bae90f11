"""Drives a gateway with pydantic-ai, unmodified: agents whose tools run and whose output is checked. See
checks.py and openai_chat.py. MODEL must be able to fill a JSON schema.
"""

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from openai import AsyncOpenAI

from checks import BASE_URL, KEY, MAX_TOKENS, MODEL, TIMEOUT, TOOL_MODEL
from checks import expect, fails_with, need, run


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def agent(name=MODEL, max_tokens=MAX_TOKENS, **more):
    # No retries: a failure that the gateway caused must show.
    client = AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=TIMEOUT)
    model = OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))
    return Agent(model, retries=0, model_settings={"max_tokens": max_tokens, "temperature": 0}, **more)


def expect_usage(usage):
    expect(usage.input_tokens > 0, f"input_tokens is {usage.input_tokens}")
    expect(usage.output_tokens > 0, f"output_tokens is {usage.output_tokens}")


def text():
    result = agent(instructions="You are brief.").run_sync("Name two colours.")
    expect(result.output, "the answer has no text")
    expect_usage(result.usage)


def stream():
    async def pieces():
        async with agent(instructions="You are brief.").run_stream("Name two colours.") as result:
            found = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
            return found, await result.get_output(), result.usage

    found, output, usage = asyncio.run(pieces())
    expect(len(found) > 1 and "".join(found) == output, f"the pieces {found} are not the whole {output!r}")
    expect_usage(usage)


def weather_agent():
    asked = []
    weather = agent(need(TOOL_MODEL, "TOOL_MODEL"), max_tokens=200)

    @weather.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city, now."""
        asked.append(city)
        return '{"sky":"clear","celsius":4}'

    return weather, asked


def tools():
    weather, asked = weather_agent()
    result = weather.run_sync("What is the weather in Oslo?")
    expect(len(asked) == 1, f"the tool ran {len(asked)} times")
    expect(result.output, "no text after the tool's result")


def tools_stream():
    async def output():
        async with weather.run_stream("What is the weather in Oslo?") as result:
            return await result.get_output()

    weather, asked = weather_agent()
    expect(asyncio.run(output()), "no text after the tool's result")
    expect(len(asked) == 1, f"the tool ran {len(asked)} times")


def output_by_tool():
    """Its own way to typed output: a tool that is the answer."""
    asked = agent(need(TOOL_MODEL, "TOOL_MODEL"), max_tokens=200, output_type=Person)
    person = asked.run_sync("Anna is 31 years old. Who is it?").output
    expect(isinstance(person, Person), f"the person is {person!r}")


def output_by_schema():
    asked = agent(max_tokens=100, output_type=NativeOutput(Person))
    person = asked.run_sync("Anna is 31 years old. Who is it?").output
    expect(isinstance(person, Person) and person.name, f"the person is {person!r}")


def unknown_model():
    error = fails_with(ModelHTTPError, lambda: agent("no-such-model").run_sync("Hi"))
    expect(error.status_code == 404, f"status {error.status_code}")


run([text, stream, tools, tools_stream, output_by_tool, output_by_schema, unknown_model])
