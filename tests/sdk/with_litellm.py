"""Drives a gateway with LiteLLM as a client, in OpenAI's format and in Anthropic's. See checks.py and
openai_chat.py. MODEL must be able to fill a JSON schema.
"""

import json
import os

# Else it fetches its list of prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from pydantic import BaseModel

from checks import BASE_URL, EMBED_MODEL, KEY, MAX_TOKENS, MODEL, TIMEOUT, TOOL_MODEL
from checks import expect, fails_with, need, run

litellm.telemetry = False
litellm.suppress_debug_info = True

MESSAGES = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Name two colours."}]
WEATHER_QUESTION = [{"role": "user", "content": "What is the weather in Oslo?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city, now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
# Its names of the two formats, and what it appends its paths to.
FORMATS = {"openai": f"{BASE_URL}/v1", "anthropic": BASE_URL}


class Person(BaseModel):
    name: str
    age: int


def ask(format, model=MODEL, **more):
    settings = {"messages": MESSAGES, "max_tokens": MAX_TOKENS, "temperature": 0} | more
    return litellm.completion(
        model=f"{format}/{model}", api_base=FORMATS[format], api_key=KEY, timeout=TIMEOUT, max_retries=0, **settings
    )


def expect_usage(usage):
    expect(usage, "the answer has no usage")
    expect(usage.prompt_tokens > 0, f"prompt_tokens is {usage.prompt_tokens}")
    expect(usage.completion_tokens > 0, f"completion_tokens is {usage.completion_tokens}")


def chat(format):
    answer = ask(format)
    expect(answer.choices[0].message.content, "the answer has no text")
    reason = answer.choices[0].finish_reason
    expect(reason in ("stop", "length"), f"finish_reason is {reason!r}")
    expect_usage(answer.usage)


def whole(stream):
    """The answer that it builds of a stream's chunks."""
    chunks = list(stream)
    expect(len(chunks) > 1, f"{len(chunks)} chunks")
    return litellm.stream_chunk_builder(chunks)


def stream(format):
    answer = whole(ask(format, stream=True, stream_options={"include_usage": True}))
    expect(answer.choices[0].message.content, "the stream has no text")
    reason = answer.choices[0].finish_reason
    expect(reason in ("stop", "length"), f"finish_reason is {reason!r}")
    expect_usage(answer.usage)


def call_of(answer):
    expect(answer.choices[0].finish_reason == "tool_calls", f"finish_reason is {answer.choices[0].finish_reason!r}")
    calls = answer.choices[0].message.tool_calls or []
    expect(len(calls) == 1 and calls[0].id, f"the calls are {calls}")
    expect(calls[0].function.name == "get_weather", f"the tool called is {calls[0].function.name!r}")
    expect(isinstance(json.loads(calls[0].function.arguments), dict), "the arguments are not a JSON object")
    return calls[0]


def tools(format):
    question = {"model": need(TOOL_MODEL, "TOOL_MODEL"), "tools": [WEATHER], "max_tokens": 200}
    answer = ask(format, **question, messages=WEATHER_QUESTION)
    call = call_of(answer)
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"sky":"clear","celsius":4}'}
    conversation = [*WEATHER_QUESTION, answer.choices[0].message.model_dump(exclude_none=True), result]
    final = ask(format, **question, messages=conversation)
    expect(final.choices[0].message.content, "no text after the tool's result")


def tools_stream(format):
    question = {"model": need(TOOL_MODEL, "TOOL_MODEL"), "tools": [WEATHER], "max_tokens": 200}
    call_of(whole(ask(format, **question, messages=WEATHER_QUESTION, stream=True)))


def structured(format):
    question = [{"role": "user", "content": "Anna is 31 years old. Who is it?"}]
    # In Anthropic's format it asks for JSON by a tool that has to be called.
    model = need(TOOL_MODEL, "TOOL_MODEL") if format == "anthropic" else MODEL
    answer = ask(format, model=model, messages=question, response_format=Person, max_tokens=100)
    person = Person.model_validate_json(answer.choices[0].message.content)
    expect(person.name is not None, f"the person is {person!r}")


def unknown_model(format):
    # In OpenAI's format it looks for `model_not_found` in the error, and forgets the status without it.
    error = fails_with(litellm.NotFoundError, lambda: ask(format, model="no-such-model"))
    expect("no-such-model" in str(error), f"the error does not name the model: {error}")


def embeddings():
    answer = litellm.embedding(
        model=f"openai/{need(EMBED_MODEL, 'EMBED_MODEL')}",
        input=["one", "two"],
        api_base=FORMATS["openai"],
        api_key=KEY,
        timeout=TIMEOUT,
    )
    expect(len(answer.data) == 2 and answer.data[0]["embedding"], "the embeddings are not two vectors")


CHECKS = {
    f"{format}_{check.__name__}": lambda check=check, format=format: check(format)
    for format in FORMATS
    for check in (chat, stream, tools, tools_stream, structured, unknown_model)
}
run(CHECKS | {"openai_embeddings": embeddings})
