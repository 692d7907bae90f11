"""Drives a gateway with the official openai package, unmodified.

Run by `cargo nextest run -p windlass` and by hand:

    BASE_URL=http://127.0.0.1:8080 KEY=… MODEL=local/smollm2 python openai_chat.py [CHECK…]

BASE_URL     the gateway, without /v1
KEY          a key that it accepts
MODEL        a model that answers text
TOOL_MODEL   a model that answers any request that has tools with a call of the first one, and a request
             whose last message is a tool's result with text; unset, those checks are skipped
EMBED_MODEL  a model that embeds; unset, that check is skipped
BAD_KEY      a key that it refuses; unset, that check is skipped (a server without keys refuses none)
MAX_TOKENS   how long answers may be (24)

Prints a line for each check, `ok NAME` or `skip NAME: why`, and leaves with 1 at the first failure.
"""

import json
import os
import sys
import traceback

import openai

BASE_URL = os.environ["BASE_URL"].rstrip("/")
KEY = os.environ.get("KEY", "no-key")
MODEL = os.environ["MODEL"]
TOOL_MODEL = os.environ.get("TOOL_MODEL")
EMBED_MODEL = os.environ.get("EMBED_MODEL")
BAD_KEY = os.environ.get("BAD_KEY")
MAX_TOKENS = int(os.environ.get("MAX_TOKENS", "24"))

MESSAGES = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Name two colours."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city, now.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
WEATHER_QUESTION = [{"role": "user", "content": "What is the weather in Oslo?"}]


class Skip(Exception):
    """The environment does not offer what a check needs."""


def client(key=KEY):
    # No retries: a failure that the gateway caused must show.
    return openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=key, max_retries=0, timeout=120)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_usage(usage):
    expect(usage is not None, "the answer has no usage")
    expect(usage.prompt_tokens > 0, f"prompt_tokens is {usage.prompt_tokens}")
    expect(usage.completion_tokens > 0, f"completion_tokens is {usage.completion_tokens}")
    total = usage.prompt_tokens + usage.completion_tokens
    expect(usage.total_tokens == total, f"total_tokens is {usage.total_tokens}, not {total}")


def chat():
    answer = client().chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=MAX_TOKENS)
    expect(answer.object == "chat.completion", f"object is {answer.object!r}")
    expect(answer.id, "the answer has no id")
    expect(len(answer.choices) == 1, f"{len(answer.choices)} choices")
    choice = answer.choices[0]
    expect(choice.message.role == "assistant", f"role is {choice.message.role!r}")
    expect(choice.message.content, "the answer has no text")
    expect(choice.finish_reason in ("stop", "length"), f"finish_reason is {choice.finish_reason!r}")
    expect_usage(answer.usage)


def read_stream(stream):
    """Text, finish reasons and usages of a stream."""
    text, reasons, usages = "", [], []
    for chunk in stream:
        expect(chunk.object == "chat.completion.chunk", f"object is {chunk.object!r}")
        if chunk.usage is not None:
            usages.append(chunk.usage)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
    return text, reasons, usages


def chat_stream():
    stream = client().chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=MAX_TOKENS, stream=True)
    text, reasons, usages = read_stream(stream)
    expect(text, "the stream has no text")
    expect(len(reasons) == 1 and reasons[0] in ("stop", "length"), f"finish reasons are {reasons}")
    expect(not usages, "usage came though nobody asked for it")


def chat_stream_with_usage():
    stream = client().chat.completions.create(
        model=MODEL,
        messages=MESSAGES,
        max_tokens=MAX_TOKENS,
        stream=True,
        stream_options={"include_usage": True},
    )
    text, reasons, usages = read_stream(stream)
    expect(text, "the stream has no text")
    expect(len(reasons) == 1, f"finish reasons are {reasons}")
    expect(len(usages) == 1, f"{len(usages)} usages in one stream")
    expect_usage(usages[0])


def hang_up():
    """Closing a stream early must leave the gateway fit for the next call."""
    talker = client()
    with talker.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=2000, stream=True) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        else:
            raise AssertionError("the stream ended before its first text")
    answer = talker.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=4)
    expect(answer.choices[0].message.content is not None, "the call after a hang-up has no answer")


def expect_tool_call(name, arguments):
    expect(name == "get_weather", f"the tool called is {name!r}")
    expect(isinstance(json.loads(arguments), dict), f"the arguments are not a JSON object: {arguments!r}")


def tools():
    if not TOOL_MODEL:
        raise Skip("TOOL_MODEL is not set")
    answer = client().chat.completions.create(model=TOOL_MODEL, messages=WEATHER_QUESTION, tools=[WEATHER])
    choice = answer.choices[0]
    expect(choice.finish_reason == "tool_calls", f"finish_reason is {choice.finish_reason!r}")
    calls = choice.message.tool_calls or []
    expect(len(calls) == 1, f"{len(calls)} tool calls")
    expect(calls[0].id and calls[0].type == "function", f"the call is {calls[0]!r}")
    expect_tool_call(calls[0].function.name, calls[0].function.arguments)
    result = {"role": "tool", "tool_call_id": calls[0].id, "content": '{"sky":"clear","celsius":4}'}
    conversation = [*WEATHER_QUESTION, choice.message.model_dump(exclude_none=True), result]
    answer = client().chat.completions.create(model=TOOL_MODEL, messages=conversation, tools=[WEATHER])
    expect(answer.choices[0].message.content, "no text after the tool's result")


def tools_stream():
    if not TOOL_MODEL:
        raise Skip("TOOL_MODEL is not set")
    stream = client().chat.completions.create(
        model=TOOL_MODEL, messages=WEATHER_QUESTION, tools=[WEATHER], stream=True
    )
    identifier, name, arguments, reasons = None, "", "", []
    for chunk in stream:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                expect(call.index == 0, f"the index of the only call is {call.index}")
                identifier = identifier or call.id
                name += (call.function and call.function.name) or ""
                arguments += (call.function and call.function.arguments) or ""
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
    expect(identifier, "the streamed call has no id")
    expect_tool_call(name, arguments)
    expect(reasons == ["tool_calls"], f"finish reasons are {reasons}")


def models():
    listed = client().models.list().data
    expect(listed, "no models are listed")
    expect(all(model.object == "model" for model in listed), "an entry is not a model")
    names = [model.id for model in listed]
    expect(MODEL in names, f"{MODEL} is not among {names}")


def embeddings():
    if not EMBED_MODEL:
        raise Skip("EMBED_MODEL is not set")
    answer = client().embeddings.create(model=EMBED_MODEL, input=["one", "two"])
    expect(len(answer.data) == 2, f"{len(answer.data)} embeddings for two texts")
    expect([entry.index for entry in answer.data] == [0, 1], "the embeddings are out of order")
    first, second = (entry.embedding for entry in answer.data)
    expect(len(first) == len(second) > 0, f"{len(first)} and {len(second)} dimensions")
    expect(answer.usage.prompt_tokens > 0, "the embeddings have no usage")


def fails_with(kind, act):
    try:
        act()
    except kind as error:
        return error
    except openai.APIStatusError as error:
        raise AssertionError(f"{type(error).__name__} ({error.status_code}), not {kind.__name__}: {error}") from error
    raise AssertionError(f"nothing failed; {kind.__name__} was due")


def expect_error_shape(error):
    expect(isinstance(error.body, dict), f"the error's body is {error.body!r}")
    expect(error.body.get("message"), f"the error has no message: {error.body!r}")
    expect(error.body.get("type"), f"the error has no type: {error.body!r}")


def unknown_model():
    ask = client().chat.completions.create
    error = fails_with(openai.NotFoundError, lambda: ask(model="no-such-model", messages=MESSAGES))
    expect_error_shape(error)


def unknown_model_stream():
    ask = client().chat.completions.create
    fails_with(openai.NotFoundError, lambda: ask(model="no-such-model", messages=MESSAGES, stream=True))


def wrong_key():
    if not BAD_KEY:
        raise Skip("BAD_KEY is not set")
    ask = client(BAD_KEY).chat.completions.create
    error = fails_with(openai.AuthenticationError, lambda: ask(model=MODEL, messages=MESSAGES))
    expect_error_shape(error)
    expect(BAD_KEY not in str(error), "the error repeats the key")


def bad_field():
    ask = client().chat.completions.create
    error = fails_with(openai.BadRequestError, lambda: ask(model=MODEL, messages="not a list"))
    expect_error_shape(error)


CHECKS = [
    chat,
    chat_stream,
    chat_stream_with_usage,
    hang_up,
    tools,
    tools_stream,
    models,
    embeddings,
    unknown_model,
    unknown_model_stream,
    wrong_key,
    bad_field,
]


def main():
    wanted = sys.argv[1:]
    unknown = set(wanted) - {check.__name__ for check in CHECKS}
    if unknown:
        sys.exit(f"there is no check {', '.join(sorted(unknown))}")
    for check in CHECKS:
        name = check.__name__
        if wanted and name not in wanted:
            continue
        try:
            check()
        except Skip as why:
            print(f"skip {name}: {why}", flush=True)
        except Exception as error:
            traceback.print_exc()
            sys.exit(f"FAILED {name}: {error}")
        else:
            print(f"ok {name}", flush=True)


main()
