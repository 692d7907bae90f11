"""Drives a gateway's Responses API with the official openai package, unmodified.

The environment and the output are those of openai_chat.py, beside this file. MODEL must be able to fill a JSON
schema.
"""

import json

import openai
from pydantic import BaseModel

from checks import BASE_URL, KEY, MAX_TOKENS, MODEL, TIMEOUT, TOOL_MODEL
from checks import expect, fails_with, need, run

QUESTION = {"instructions": "You are brief.", "input": "Name two colours."}
WEATHER_QUESTION = "What is the weather in Oslo?"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city, now.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def client():
    # No retries: a failure that the gateway caused must show.
    return openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=TIMEOUT)


def ask(**more):
    settings = {"model": MODEL, "max_output_tokens": MAX_TOKENS, "temperature": 0} | more
    return client().responses.create(**settings)


def expect_answer(response):
    expect(response.object == "response" and response.id, f"the response is {response!r}")
    expect(response.status in ("completed", "incomplete"), f"status is {response.status!r}")
    if response.status == "incomplete":
        reason = response.incomplete_details and response.incomplete_details.reason
        expect(reason == "max_output_tokens", f"incomplete because of {reason!r}")
    expect(response.usage.input_tokens > 0, f"input_tokens is {response.usage.input_tokens}")
    expect(response.usage.output_tokens > 0, f"output_tokens is {response.usage.output_tokens}")
    total = response.usage.input_tokens + response.usage.output_tokens
    expect(response.usage.total_tokens == total, f"total_tokens is {response.usage.total_tokens}, not {total}")


def create():
    response = ask(**QUESTION)
    expect_answer(response)
    expect(response.output_text, "the response has no text")


def create_with_messages():
    items = [{"role": "developer", "content": "You are brief."}, {"role": "user", "content": "Name two colours."}]
    response = ask(input=items)
    expect_answer(response)
    expect(response.output_text, "the response has no text")


def stream():
    """The events by hand: their order and their numbers are part of the dialect."""
    kinds, numbers, text, last = [], [], "", None
    for event in ask(**QUESTION, stream=True):
        if not kinds or kinds[-1] != event.type:
            kinds.append(event.type)
        numbers.append(event.sequence_number)
        if event.type == "response.output_text.delta":
            text += event.delta
        last = event
    expect(kinds[0] == "response.created", f"the first event is {kinds[0]}")
    expect(kinds[-1] in ("response.completed", "response.incomplete"), f"the last event is {kinds[-1]}")
    due = [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    expect([kind for kind in kinds if kind in due] == due, f"the events are {kinds}")
    expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"the numbers are {numbers}")
    expect_answer(last.response)
    expect(text and text == last.response.output_text, "the pieces are not the whole")


def stream_helper():
    with client().responses.stream(model=MODEL, max_output_tokens=100, temperature=0, **QUESTION) as events:
        for _ in events:
            pass
        response = events.get_final_response()
    expect_answer(response)
    expect(response.output_text, "the response has no text")


def call_of(response):
    expect(response.status == "completed", f"status is {response.status!r}")
    calls = [item for item in response.output if item.type == "function_call"]
    expect(len(calls) == 1 and calls[0].call_id, f"the calls are {calls}")
    expect(calls[0].name == "get_weather", f"the tool called is {calls[0].name!r}")
    expect(isinstance(json.loads(calls[0].arguments)["city"], str), f"the arguments are {calls[0].arguments}")
    return calls[0]


def result_of(call):
    return {"type": "function_call_output", "call_id": call.call_id, "output": '{"sky":"clear","celsius":4}'}


def tools():
    """Stateless: the whole conversation is sent again."""
    more = {"model": need(TOOL_MODEL, "TOOL_MODEL"), "tools": [WEATHER], "max_output_tokens": 200, "store": False}
    question = {"role": "user", "content": WEATHER_QUESTION}
    response = ask(input=[question], **more)
    call = call_of(response)
    items = [item.model_dump(exclude_none=True) for item in response.output]
    final = ask(input=[question, *items, result_of(call)], **more)
    expect_answer(final)
    expect(final.output_text, "no text after the tool's result")


def tools_stored():
    """Stateful: the gateway remembers the call."""
    more = {"model": need(TOOL_MODEL, "TOOL_MODEL"), "tools": [WEATHER], "max_output_tokens": 200}
    response = ask(input=WEATHER_QUESTION, **more)
    call = call_of(response)
    final = ask(input=[result_of(call)], previous_response_id=response.id, **more)
    expect(final.previous_response_id == response.id, f"previous_response_id is {final.previous_response_id!r}")
    expect_answer(final)
    expect(final.output_text, "no text after the tool's result")


def tools_stream():
    arguments, response = "", None
    more = {"tools": [WEATHER], "max_output_tokens": 200, "stream": True}
    for event in ask(model=need(TOOL_MODEL, "TOOL_MODEL"), input=WEATHER_QUESTION, **more):
        if event.type == "response.function_call_arguments.delta":
            arguments += event.delta
        elif event.type == "response.completed":
            response = event.response
    expect(response, "the stream does not end with response.completed")
    expect(call_of(response).arguments == arguments, "the pieces are not the whole")


def previous_response():
    """What was said before is known, and costs input tokens again."""
    first = ask(**QUESTION)
    again = ask(**QUESTION)
    second = ask(instructions=QUESTION["instructions"], input=QUESTION["input"], previous_response_id=first.id)
    expect_answer(second)
    expect(second.id not in (first.id, again.id), "two responses have one id")
    tokens = (second.usage.input_tokens, again.usage.input_tokens)
    expect(tokens[0] > tokens[1], f"with what was said before, the input is {tokens[0]} tokens; without, {tokens[1]}")


def previous_response_that_is_none():
    error = fails_with(openai.APIStatusError, lambda: ask(**QUESTION, previous_response_id="resp_nobody_knows"))
    expect(error.status_code in (400, 404), f"status {error.status_code}")
    expect("resp_nobody_knows" in str(error), f"the error does not name it: {error}")


def retrieve_and_delete():
    response = ask(**QUESTION)
    found = client().responses.retrieve(response.id)
    expect(found.id == response.id and found.output_text == response.output_text, f"what is stored is {found!r}")
    client().responses.delete(response.id)
    fails_with(openai.NotFoundError, lambda: client().responses.retrieve(response.id))


def not_stored():
    response = ask(**QUESTION, store=False)
    fails_with(openai.NotFoundError, lambda: client().responses.retrieve(response.id))


def parse():
    response = client().responses.parse(
        model=MODEL,
        input="Anna is 31 years old. Who is it?",
        text_format=Person,
        max_output_tokens=100,
        temperature=0,
    )
    expect(isinstance(response.output_parsed, Person), f"the person is {response.output_parsed!r}")


def unknown_model():
    error = fails_with(openai.NotFoundError, lambda: ask(model="no-such-model", input="Hi"))
    expect(error.body.get("message"), f"the error is {error.body!r}")


def bad_field():
    error = fails_with(openai.BadRequestError, lambda: ask(input=7))
    expect(error.body.get("message"), f"the error is {error.body!r}")


run([
    create,
    create_with_messages,
    stream,
    stream_helper,
    tools,
    tools_stored,
    tools_stream,
    previous_response,
    previous_response_that_is_none,
    retrieve_and_delete,
    not_stored,
    parse,
    unknown_model,
    bad_field,
])
