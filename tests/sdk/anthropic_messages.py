"""Drives a gateway with the official anthropic package, unmodified.

The environment and the output are those of openai_chat.py, beside this file. This package sends the key as
`Authorization: Bearer`, not as `x-api-key`; a gateway has to take both.
"""

import os
import sys
import traceback
import urllib.request

import anthropic

BASE_URL = os.environ["BASE_URL"].rstrip("/")
KEY = os.environ.get("KEY", "no-key")
MODEL = os.environ["MODEL"]
TOOL_MODEL = os.environ.get("TOOL_MODEL")
BAD_KEY = os.environ.get("BAD_KEY")
MAX_TOKENS = int(os.environ.get("MAX_TOKENS", "24"))

SYSTEM = "You are brief."
MESSAGES = [{"role": "user", "content": "Name two colours."}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city, now.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
WEATHER_QUESTION = [{"role": "user", "content": "What is the weather in Oslo?"}]


class Skip(Exception):
    """The environment does not offer what a check needs."""


def client(key=KEY):
    # No retries: a failure that the gateway caused must show.
    return anthropic.Anthropic(base_url=BASE_URL, api_key=key, max_retries=0, timeout=120)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_message(message, reasons):
    expect(message.type == "message", f"type is {message.type!r}")
    expect(message.id, "the message has no id")
    expect(message.role == "assistant", f"role is {message.role!r}")
    expect(message.stop_reason in reasons, f"stop_reason is {message.stop_reason!r}")
    expect(message.usage.input_tokens > 0, f"input_tokens is {message.usage.input_tokens}")
    expect(message.usage.output_tokens > 0, f"output_tokens is {message.usage.output_tokens}")


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def ask(**more):
    return client().messages.create(model=MODEL, system=SYSTEM, messages=MESSAGES, max_tokens=MAX_TOKENS, **more)


def messages():
    message = ask()
    expect_message(message, ("end_turn", "max_tokens"))
    expect(text_of(message), "the message has no text")


def messages_stream():
    """The events by hand: their order is part of the dialect."""
    order, text = [], ""
    for event in ask(stream=True):
        if not order or order[-1] != event.type:
            order.append(event.type)
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
    order = [kind for kind in order if kind != "ping"]
    expect(order[0] == "message_start", f"the first event is {order[0]}")
    expect(order[-2:] == ["message_delta", "message_stop"], f"the last events are {order[-2:]}")
    expect("content_block_start" in order and "content_block_stop" in order, f"the events are {order}")
    expect(text, "the stream has no text")


def messages_stream_helper():
    """The package's own accumulator must arrive at a whole message."""
    with client().messages.stream(
        model=MODEL, system=SYSTEM, messages=MESSAGES, max_tokens=MAX_TOKENS
    ) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    expect_message(message, ("end_turn", "max_tokens"))
    expect(text and text == text_of(message), "the pieces are not the whole")


def hang_up():
    """Closing a stream early must leave the gateway fit for the next call."""
    talker = client()
    with talker.messages.stream(model=MODEL, messages=MESSAGES, max_tokens=2000) as stream:
        for text in stream.text_stream:
            if text:
                break
        else:
            raise AssertionError("the stream ended before its first text")
    message = talker.messages.create(model=MODEL, messages=MESSAGES, max_tokens=4)
    expect(message.type == "message", "the call after a hang-up has no answer")


def expect_tool_use(message):
    expect_message(message, ("tool_use",))
    uses = [block for block in message.content if block.type == "tool_use"]
    expect(len(uses) == 1, f"{len(uses)} tool uses")
    expect(uses[0].id, "the tool use has no id")
    expect(uses[0].name == "get_weather", f"the tool called is {uses[0].name!r}")
    expect(isinstance(uses[0].input, dict), f"the input is {uses[0].input!r}")
    return uses[0]


def tools():
    if not TOOL_MODEL:
        raise Skip("TOOL_MODEL is not set")
    talker = client()
    question = {"model": TOOL_MODEL, "max_tokens": 100, "tools": [WEATHER]}
    message = talker.messages.create(messages=WEATHER_QUESTION, **question)
    use = expect_tool_use(message)
    result = {"type": "tool_result", "tool_use_id": use.id, "content": '{"sky":"clear","celsius":4}'}
    conversation = [
        *WEATHER_QUESTION,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
        {"role": "user", "content": [result]},
    ]
    message = talker.messages.create(messages=conversation, **question)
    expect(text_of(message), "no text after the tool's result")


def tools_stream():
    if not TOOL_MODEL:
        raise Skip("TOOL_MODEL is not set")
    with client().messages.stream(
        model=TOOL_MODEL, messages=WEATHER_QUESTION, max_tokens=100, tools=[WEATHER]
    ) as stream:
        message = stream.get_final_message()
    expect_tool_use(message)


def fails_with(kind, act):
    try:
        act()
    except kind as error:
        return error
    except anthropic.APIStatusError as error:
        raise AssertionError(f"{type(error).__name__} ({error.status_code}), not {kind.__name__}: {error}") from error
    raise AssertionError(f"nothing failed; {kind.__name__} was due")


def expect_error_shape(error, kind):
    body = error.body
    expect(isinstance(body, dict) and body.get("type") == "error", f"the error's body is {body!r}")
    expect(body["error"].get("message"), f"the error has no message: {body!r}")
    expect(body["error"].get("type") == kind, f"the error's type is {body['error'].get('type')!r}, not {kind!r}")


def unknown_model():
    create = client().messages.create
    act = lambda: create(model="no-such-model", messages=MESSAGES, max_tokens=8)  # noqa: E731
    expect_error_shape(fails_with(anthropic.NotFoundError, act), "not_found_error")


def wrong_key():
    if not BAD_KEY:
        raise Skip("BAD_KEY is not set")
    create = client(BAD_KEY).messages.create
    act = lambda: create(model=MODEL, messages=MESSAGES, max_tokens=8)  # noqa: E731
    error = fails_with(anthropic.AuthenticationError, act)
    expect_error_shape(error, "authentication_error")
    expect(BAD_KEY not in str(error), "the error repeats the key")


def key_in_x_api_key():
    """What older versions of the package and many other clients send."""
    body = f'{{"model":"{MODEL}","max_tokens":4,"messages":[{{"role":"user","content":"Hi"}}]}}'
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    request = urllib.request.Request(f"{BASE_URL}/v1/messages", data=body.encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        expect(answer.status == 200, f"status {answer.status}")


def bad_field():
    create = client().messages.create
    act = lambda: create(model=MODEL, messages="not a list", max_tokens=8)  # noqa: E731
    expect_error_shape(fails_with(anthropic.BadRequestError, act), "invalid_request_error")


CHECKS = [
    messages,
    messages_stream,
    messages_stream_helper,
    hang_up,
    tools,
    tools_stream,
    unknown_model,
    wrong_key,
    key_in_x_api_key,
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
